// The lab. If shelf was started with -lab, the page can change the server's time, and so
// the expiry of tokens. It can put the data back, too.
import { $, button, el, onClick, onSubmit, say } from "./dom.js";
import { span } from "./token.js";
import { send, serverNow, setClock } from "./wire.js";

let secret = null; // value of X-Lab-Token; null: the lab is locked
let clock = {}; // the server's answer: now, frozen, offset
let changed;

export const labOn = () => secret != null;
export const labSecret = () => secret;

// tell sends a change of the clock. Without json it only reads the clock.
async function tell(json, by = "you", token = secret) {
  const answer = await send(json ? "POST" : "GET", "/lab/clock", { headers: { "X-Lab-Token": token }, json, by });
  if (!answer.ok) {
    say(answer.says, true);
    return answer;
  }
  if (by === "lab") return answer; // for an attack only: the page keeps showing the old time
  secret = token;
  clock = answer.json;
  setClock(Date.parse(clock.now));
  draw();
  return answer;
}

// at runs work with the clock frozen at moment, in seconds since 1970. Then it
// restores the clock.
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

// --- the data

const snapshots = []; // { id, at }

// post sends a call of the lab, and has its effects looked at.
async function post(path, done) {
  const answer = await send("POST", path, { headers: { "X-Lab-Token": secret } });
  if (!answer.ok) return say(answer.says, true);
  done(answer.json);
}

const keepState = () => post("/lab/snapshot", ({ id }) => {
  snapshots.unshift({ id, at: new Date(serverNow() * 1000) });
  say(`Snapshot ${id} is taken`);
  drawSnapshots();
});

// putBack goes to a snapshot, or to the start. The clock of that moment comes back, too.
const putBack = (path, says) => post(path, async () => {
  say(says);
  await tell(undefined, "page");
  restored();
});

function drawSnapshots() {
  $("#snapshots").replaceChildren(...snapshots.map(({ id, at }) => el("li", {}, el("b", {}, `Snapshot ${id}`), " ", el("span", { class: "soft" }, "of ", at.toLocaleTimeString("en-GB", { timeZone: "UTC" }), " UTC"), " ",
    button("Restore", () => putBack("/lab/restore/" + id, `Snapshot ${id} is restored`), { class: "quiet", "aria-label": `Restore snapshot ${id}` }))));
}

let restored;

export function startClock(onChange, onRestore) {
  [changed, restored] = [onChange, onRestore];
  onClick("#state-keep", keepState);
  onClick("#state-reset", () => putBack("/lab/reset", "Everything is as it was at the start"));
  onClick("[data-advance]", ({ dataset }) => tell({ advance: dataset.advance }));
  onClick("#clock-freeze", () => tell(clock.frozen ? { run: true } : { freeze: true }));
  onClick("#clock-reset", () => tell({ now: "real" }));
  onSubmit($("#lab-form"), () => openLab($("#lab-secret").value.trim()));
  setInterval(() => {
    if (!labOn()) return;
    if (clock.frozen) setClock(Date.parse(clock.now));
    draw();
  }, 1000);
}
