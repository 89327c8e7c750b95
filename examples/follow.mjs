// Follows the changes of a server with fetch, as EventSource can't send a bearer
// token. follow works in a browser as well. Takes Node 18 or later, nothing else.
//
//	shelf run -- node examples/follow.mjs

// follow calls reload when the lists have to be read anew, then change for each event.
export async function follow(url, token, reload, change) {
  for (let last = ""; ; await new Promise((done) => setTimeout(done, 2000))) {
    try {
      const headers = { Authorization: `Bearer ${await token()}`, ...(last && { "Last-Event-ID": last }) };
      const answer = await fetch(url, { headers });
      if (answer.status === 410) last = ""; // away for too long
      if (!answer.ok) continue; // 401: token() has to get a new one
      if (!last) await reload(); // after the stream has begun, so nothing is missed
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = "", part; !(part = await reader.read()).done; ) {
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop(); // not whole yet
        for (const block of blocks) {
          const { id, event, data } = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/)));
          if (data && event !== "stream.position") change(event, JSON.parse(data));
          if (id) last = id;
        }
      }
    } catch { /* the server is away: try again */ }
  }
}

// Adds an item once the stream has begun, and ends with the event that tells of it.
const url = process.env.SHELF_URL + "/api/v1", token = process.env.SHELF_TOKEN;
const ball = new URLSearchParams({ itemname: "ball", category: "soccer", description: "something to kick" });
const add = () => fetch(url + "/items", { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: ball });
await follow(url + "/events", () => token, add, (event, item) => {
  console.log(event, item.itemname);
  process.exit();
});
