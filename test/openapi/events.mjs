// The stream of events in @microsoft/fetch-event-source: each message has data, and the
// first one tells where the stream stands.
import assert from "node:assert/strict";

globalThis.window = globalThis; // it is made for browsers
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = await import("@microsoft/fetch-event-source");

const [url] = process.argv.slice(2);
const post = async (path, fields, headers) => {
  const answer = await fetch(url + path, { method: "POST", headers, body: new URLSearchParams(fields) });
  assert.equal(answer.status, 201);
  return (await answer.json()).data[0];
};
const { access_token } = await post("/api/v1/auth/signup", { email: "events@example.com", password: "b00k-worm" });
const headers = { Authorization: `Bearer ${access_token}` };

const seen = [];
const stop = new AbortController();
const late = setTimeout(() => stop.abort(), 10_000);
await fetchEventSource(url + "/api/v1/events", {
  headers,
  signal: stop.signal,
  onmessage({ id, event, data }) {
    seen.push([event, JSON.parse(data)]); // which throws for ""
    assert.ok(id);
    if (event === "stream.position") post("/api/v1/items", { itemname: "ball", category: "toys", description: "It is round" }, headers);
    if (event === "item.created") stop.abort();
  },
  onerror(err) { throw err; },
});
clearTimeout(late);
assert.deepEqual(seen.map(([event]) => event), ["stream.position", "item.created"]);
assert.equal(typeof seen[0][1].seq, "number");
assert.equal(seen[1][1].itemname, "ball");
console.log("@microsoft/fetch-event-source: a position and an event");
