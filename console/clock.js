// The lab's clock: where shelf was started with -lab, its time can be moved, and
// with it when tokens expire.
import { $, onClick, onSubmit, say } from "./dom.js";
import { span } from "./token.js";
import { send, serverNow, setClock } from "./wire.js";

let secret = null; // what X-Lab-Token has to say; null where the lab is not open
let clock = {}; // what the server says of it: now, frozen, offset
let changed;

export const labOn = () => secret != null;
const frozenAt = () => (clock.frozen ? Date.parse(clock.now) / 1000 : null); // seconds since 1970

// tell changes the clock, or only reads it where there is nothing to change.
async function tell(json, by = "you", token = secret) {
  const answer = await send(json ? "POST" : "GET", "/lab/clock", { headers: { "X-Lab-Token": token }, json, by });
  if (!answer.ok) {
    say(answer.says, true);
    return answer;
  }
  if (by === "lab") return answer; // for an attack only: the page goes on by the time before
  secret = token;
  clock = answer.json;
  setClock(Date.parse(clock.now) / 1000);
  draw();
  return answer;
}

// at has work done while the clock stands still at a moment, in seconds since
// 1970, and then puts it back as it was.
export async function at(moment, work) {
  const { now, frozen, offset } = clock;
  const began = performance.now(), before = serverNow() * 1000;
  const iso = (ms) => new Date(ms).toISOString();
  await tell({ now: iso(moment * 1000), freeze: true }, "lab");
  try {
    return await work();
  } finally {
    await tell(frozen ? { now, freeze: true } : offset === "0s" ? { now: "real" } : { now: iso(before + performance.now() - began), run: true }, "lab");
  }
}

export async function openLab(token, by) {
  const answer = await tell(undefined, by, token);
  $("#lab-error").textContent = answer.ok ? "" : answer.status === 404 ? "This shelf runs without -lab" : answer.says;
  document.body.classList.toggle("lab-on", labOn());
  if (answer.ok) changed();
}

function draw() {
  $("#clock-now").textContent = new Date(serverNow() * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }) + " UTC";
  const ahead = serverNow() - Date.now() / 1000;
  $("#clock-off").textContent = (Math.abs(ahead) < 2 ? "this machine’s time" : `${span(ahead)} ${ahead > 0 ? "ahead" : "behind"}`) + (clock.frozen ? ", frozen" : "");
  $("#clock-freeze").textContent = clock.frozen ? "Run" : "Freeze";
}

export function startClock(onChange) {
  changed = onChange;
  onClick("[data-advance]", ({ dataset }) => tell({ advance: dataset.advance }));
  onClick("#clock-freeze", () => tell(clock.frozen ? { run: true } : { freeze: true }));
  onClick("#clock-reset", () => tell({ now: "real" }));
  onSubmit($("#lab-form"), () => openLab($("#lab-secret").value.trim()));
  setInterval(() => {
    if (!labOn()) return;
    if (clock.frozen) setClock(frozenAt());
    draw();
  }, 1000);
}
