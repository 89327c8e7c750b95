// The console. wire.js sends and shows every request; account.js knows who is
// signed in; rows.js has the tables, lab.js the attacks, forge.js how they are
// made, clock.js the lab's clock.
import { $ } from "./dom.js";
import { learnHandlers, startWire } from "./wire.js";
import { current, listTokens, onSession, startAccount } from "./account.js";
import { startRows } from "./rows.js";
import { drawAttacks, sessionForgery, startLab } from "./lab.js";
import { openLab, startClock } from "./clock.js";

// go shows the part of the page that the address names.
function go(focus = true) {
  const name = location.hash.slice(1);
  const view = document.querySelector(`main > section[id="${CSS.escape(name)}"]`) ?? $("#start");
  for (const section of document.querySelectorAll("main > section")) section.hidden = section !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === "#" + view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = $("h1, h2", view);
  document.title = (view.id === "start" ? "" : title.textContent + " · ") + "shelf";
  scrollTo(0, 0);
  if (focus) title.focus({ preventScroll: true });
  if (view.id === "token" && current()) listTokens("page");
}

startWire();
startAccount();
startClock(drawAttacks);
onSession(sessionForgery);
startRows();

// shelf -lab prints a link with its secret behind the #. It is taken off the
// address bar at once, so that it is on no projector and in no history.
const lab = /^#lab=(.+)/.exec(location.hash)?.[1];
if (lab) history.replaceState(null, "", "/#lab");
addEventListener("hashchange", () => go());
go(false);
await learnHandlers();
await startLab();
if (lab) await openLab(decodeURIComponent(lab), "page");
