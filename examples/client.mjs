// A client in JavaScript: signs up, adds an item, hears of it, lists all, and gets
// another access token when the one it has is no longer good. Takes Node 18 or
// later, nothing else; the class works in a browser as well.
//
//	shelf run -- node examples/client.mjs    with a server of its own
//	node examples/client.mjs                 with the one at SHELF_URL, or on port 8080

class Shelf {
  constructor(url) {
    this.url = url;
  }

  // sign signs up or in: how is signup or signin.
  async sign(how, email, password) {
    this.access = this.refresh = undefined;
    const { data } = await this.call("POST", `/auth/${how}`, { email, password });
    this.access = data[0].access_token;
    this.refresh = data[0].refresh_token;
  }

  // call returns the answer. What is no success is an Error with the server's own
  // words, and with the status.
  async call(method, path, body) {
    return (await this.open(method, path, body)).json();
  }

  // follow returns what happens from now on, or after the event with the id last,
  // for a for await. It ends when the connection does.
  async follow(last) {
    const stream = await this.open("GET", "/events", undefined, last ? { "Last-Event-ID": last } : {});
    return (async function* () {
      let text = "";
      for await (const part of stream.body.pipeThrough(new TextDecoderStream())) {
        const blocks = (text + part).split("\n\n");
        text = blocks.pop(); // not whole yet
        for (const block of blocks) {
          const { id, event, data } = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/)));
          if (data && event !== "stream.position") yield { id, event, data: JSON.parse(data) };
        }
      }
    })();
  }

  // open sends a request with the access token. A 401 may mean that its 15 minutes
  // are over: then the refresh token, which has 30 days, gets a new one, once for
  // all who wait for it.
  async open(method, path, body, headers) {
    const used = this.access;
    try {
      return await this.send(method, path, used, body, headers);
    } catch (error) {
      if (error.status !== 401 || !this.refresh) throw error;
    }
    if (used === this.access) {
      this.renewing ??= this.renew().finally(() => (this.renewing = undefined));
      await this.renewing;
    }
    return this.send(method, path, this.access, body, headers);
  }

  async renew() {
    const { data } = await (await this.send("POST", "/auth/refresh", this.refresh)).json();
    this.access = data[0].access_token;
    this.refresh = data[0].refresh_token ?? this.refresh; // with -rotate-refresh there is a next one
  }

  async send(method, path, token, body, headers = {}) {
    if (token) headers = { ...headers, Authorization: `Bearer ${token}` };
    if (body) headers = { ...headers, "Content-Type": "application/json" };
    const response = await fetch(`${this.url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    if (response.ok) return response;
    const { error } = await response.json();
    throw Object.assign(new Error(error), { status: response.status });
  }
}

const { SHELF_URL = "http://127.0.0.1:8080", SHELF_LAB_TOKEN } = process.env;
const shelf = new Shelf(SHELF_URL);
await shelf.sign("signup", `node-${process.pid}@example.com`, "b00k-worm");
const changes = await shelf.follow();
await shelf.call("POST", "/items", { itemname: "ball", category: "soccer", description: "something to kick" });
for await (const { event, data } of changes) {
  console.log(`${event}: ${data.itemname}`);
  break;
}

const old = shelf.access;
if (SHELF_LAB_TOKEN) {
  // In shelf run a quarter of an hour is soon over.
  const headers = { "X-Lab-Token": SHELF_LAB_TOKEN, "Content-Type": "application/json" };
  await fetch(`${SHELF_URL}/lab/clock`, { method: "POST", headers, body: '{"advance":"16m"}' });
}
const lists = await Promise.all([shelf.call("GET", "/items"), shelf.call("GET", "/items?category=soccer")]);
for (const item of lists[0].data) console.log(`item ${item.id} is a ${item.itemname}`);
if (shelf.access !== old) console.log("the access token was renewed");
