// Whether the server is there, and takes the token. One banner tells both.
import { $, button, el } from "./dom.js";
import { onLost } from "./wire.js";
import { ask, current, expired, onRefusal, onSession, refused } from "./session.js";
import { onExpiry } from "./tokens.js";
import { onEvents } from "./events.js";

const often = 1000, away = 500; // ms between two looks, while the server answers and while it doesn't

let there = true, back = 0; // back is a timer while the page says that the server is back
let wake = () => {};
let refresh;
const returns = [];

// onReturn has a function called when the server answers again, or begins anew.
export const onReturn = (listener) => returns.push(listener);

// look asks the server for a sign of life. These requests are not shown on the wire. A
// slow answer is no sign that the server is away, but the third in a row is.
let slow = 0;
async function look() {
  try {
    const { status } = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    slow = 0;
    return status < 500;
  } catch (error) {
    return error.name === "TimeoutError" && there && ++slow < 3;
  }
}

// watch looks for as long as the page is visible.
async function watch() {
  for (;;) {
    if (!document.hidden) await see(await look());
    await new Promise((done) => {
      wake = done;
      setTimeout(done, there ? often : away);
    });
  }
}

async function see(answers) {
  if (answers === there) return;
  there = answers;
  clearTimeout(back);
  back = there ? setTimeout(() => ((back = 0), draw()), 5000) : 0;
  if (there) await examine();
  draw();
}

// examine asks whether the token is still a good one: the server may be a new one.
export async function examine() {
  if (current()) await ask("GET", "/api/v1/auth/me", { by: "page" });
  for (const listener of returns) listener();
}

// --- the banner

// reasons are what the server says of a token, in words for a person.
const reasons = [
  [/no record/i, "The server has no record of it. Its data was put back, or it began anew without any."],
  [/signature|key|kid/i, "Another key signed it. A server with its data in memory makes a new key at each start, and has forgotten all accounts."],
  [/disabled/i, "An admin has disabled this account."],
  [/account|user/i, "Its account is gone."],
];

const why = () => {
  const by = /^revoked by (.*)/.exec(refused())?.[1];
  return by ? `It was ended before its time, by ${by}.` : reasons.find(([pattern]) => pattern.test(refused()))?.[1] ?? `It says: ${refused()}.`;
};

const signIn = () => el("a", { class: "button", href: "#signin" }, "Sign in");
const again = () => current()?.refresh && button("Refresh", () => refresh(), { class: "primary" });

// banners are the states that are told, the most urgent one first: whether it holds, its
// look, its words, and what can be done.
const banners = [
  [() => !there, "bad", () => ["The server is away.", "It doesn’t answer. This page asks again twice a second, and keeps what you have typed."], () => []],
  [refused, "bad", () => [there && back ? "The server is back, and refuses your token." : "The server refuses your token.", why()],
    () => [/by its owner/.test(refused()) && again(), signIn()]],
  [expired, "warn", () => ["Your access token has expired.", current().refresh ? "The server refuses it from now on. The refresh token gets a new one." : "The server refuses it from now on. Sign in again."], () => [again(), signIn()]],
  [() => back, "good", () => ["The server is back.", current() ? "Your sign-in is still good." : ""], () => []],
];

let drawn = "";
function draw() {
  const [, look, words, acts] = banners.find(([holds]) => holds()) ?? [];
  const [title, more] = words?.() ?? [];
  const now = `${look} ${title} ${more}`;
  if (now === drawn) return;
  drawn = now;
  $("#banner").replaceChildren(...(title ? [el("div", { class: "note " + look, role: "alert" }, el("p", {}, el("b", {}, title), " ", more), acts())] : []));
  document.body.classList.toggle("told", Boolean(title));
  $("#pulse").className = there ? "" : "bad";
  $("#pulse-state").textContent = there ? "connected" : "no answer";
}

export function startPulse(onRefresh) {
  refresh = onRefresh;
  onLost(() => wake());
  onEvents({ end: async () => {
    wake();
    if (current() && !expired() && !refused() && there && (await look())) await examine();
  } });
  document.addEventListener("visibilitychange", () => wake());
  for (const listen of [onSession, onRefusal, onExpiry]) listen(draw);
  watch();
}
