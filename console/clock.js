// The lab's clock: where shelf was started with -lab, its time can be moved, and
// with it when tokens expire.
import { $, busy, el, say } from "./dom.js";
import { send, serverNow, setClock } from "./wire.js";
import { span } from "./token.js";

let secret = null; // what X-Lab-Token has to say; null where the lab is not open
let frozen = null; // where the clock stands still, in seconds since 1970
let changed = () => {};

export const labOn = () => secret != null;

// told takes note of what the server says of its clock.
function told(answer) {
  const { now, frozen: still } = answer.json.data?.[0] ?? answer.json;
  const at = Date.parse(now) / 1000;
  frozen = still ? at : null;
  setClock(at);
  draw();
}

async function tell(json, by = "you") {
  const answer = await send("POST", "/lab/clock", { headers: { "X-Lab-Token": secret }, json, by });
  if (answer.ok) told(answer);
  else say(answer.says, true);
  return answer.ok;
}

// at runs work while the clock stands still at a moment, in seconds since 1970,
// and then puts the clock back as it was.
export async function at(moment, work) {
  const stood = frozen, began = performance.now(), before = serverNow();
  const set = (seconds, freeze) => tell({ set: new Date(seconds * 1000).toISOString(), freeze }, "lab");
  await set(moment, true);
  try {
    return await work();
  } finally {
    await set(stood ?? before + (performance.now() - began) / 1000, stood != null);
  }
}

export async function openLab(text, by = "you") {
  const answer = await send("GET", "/lab/clock", { headers: { "X-Lab-Token": text }, by });
  if (!answer.ok) {
    $("#lab-error").textContent = answer.status === 404 ? "This shelf runs without -lab." : answer.says;
    return;
  }
  secret = text;
  $("#lab-error").textContent = "";
  document.body.classList.add("lab-on");
  told(answer);
  changed();
}

function draw() {
  const now = serverNow();
  const off = now - Date.now() / 1000;
  $("#clock-now").textContent = new Date((frozen ?? now) * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  $("#clock-off").textContent = [Math.abs(off) > 2 && `${span(off)} ${off > 0 ? "ahead" : "behind"}`, frozen != null && "frozen"].filter(Boolean).join(", ");
  $("#clock-freeze").textContent = frozen == null ? "Freeze" : "Run";
}

export function startClock(onChange) {
  changed = onChange;
  for (const button of document.querySelectorAll("[data-advance]")) button.addEventListener("click", () => busy(button, () => tell({ advance: button.dataset.advance })));
  $("#clock-freeze").addEventListener("click", (e) => busy(e.target, () => tell({ freeze: frozen == null })));
  $("#clock-reset").addEventListener("click", (e) => busy(e.target, () => tell({ reset: true })));
  $("#lab-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter ?? event.target, () => openLab($("#lab-secret").value.trim()));
  });
  setInterval(() => {
    if (!labOn()) return;
    if (frozen != null) setClock(frozen);
    draw();
  }, 1000);
}
