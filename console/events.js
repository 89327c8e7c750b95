// The stream of events: what happens on the server, as it happens. Its end is the first
// sign that the server has gone.
import { $$ } from "./dom.js";
import { stream } from "./wire.js";
import { current, expired, judge, onSession, refused } from "./session.js";

const listeners = [];

// onEvents has the functions of an object called: begin() when a stream begins that
// may have missed something, event(kind, what, row) for each event, end() when the
// stream breaks off, or the server is away.
export const onEvents = (listener) => listeners.push(listener);
const tell = (name, ...what) => listeners.forEach((listener) => listener[name]?.(...what));

// startEvents follows the stream for as long as the token is valid. It is the function
// follow of examples/follow.mjs.
export async function startEvents() {
  let last = "", pause = 500, name, wake;
  onSession(() => wake?.());
  for (;; await new Promise((done) => setTimeout(wake = done, pause))) {
    live(false);
    if (name !== current()?.name) [name, last] = [current()?.name, ""];
    if (!name || expired() || refused()) {
      pause = 500;
      continue;
    }
    const { response, more } = await stream("/api/v1/events", { Authorization: "Bearer " + current().access, ...(last && { "Last-Event-ID": last }) });
    if (response?.status === 410) last = ""; // the missed events are no longer kept
    if (!response?.ok) {
      if (response) judge({ ok: false, header: (name) => response.headers.get(name) ?? "" });
      else tell("end");
      // Too many streams, for example, may take a while. pulse.js watches a server that is away.
      pause = !response ? 1000 : [401, 410, 422].includes(response.status) ? 500 : Math.min(2 * pause, 30000);
      continue;
    }
    pause = 500;
    if (!last) tell("begin"); // so no change is missed
    live(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (let text = "", part; name === current()?.name && !(part = await reader.read()).done; ) {
        more(part.value);
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop(); // incomplete
        for (const block of blocks) last = hear(block) ?? last;
      }
      await reader.cancel(); // another user has signed in
    } catch { /* the server is away: try again */ }
    tell("end");
  }
}

// hear tells of one event, and returns its id.
function hear(block) {
  const { id, event = "", data } = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/)));
  const dot = event.lastIndexOf(".");
  if (data && dot > 0) tell("event", event.slice(0, dot), event.slice(dot + 1), JSON.parse(data));
  return id;
}

function live(on) {
  for (const node of $$(".live")) {
    node.textContent = on ? "live" : "not live";
    node.classList.toggle("on", on);
  }
}
