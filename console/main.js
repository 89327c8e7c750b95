// The console. wire.js sends and shows every request; account.js knows who is
// signed in; rows.js has the tables, lab.js the attacks, forge.js how they are
// made, clock.js the lab's clock.
import { $, $$ } from "./dom.js";
import { learnHandlers, startWire } from "./wire.js";
import { current, listTokens, startAccount } from "./account.js";
import { showRows, startRows } from "./rows.js";
import { drawAttacks, startLab } from "./lab.js";
import { openLab, startClock } from "./clock.js";

// go shows the part of the page that the address names.
function go() {
  // shelf -lab prints a link with its secret behind the #. That is taken off the
  // address at once, to be on no projector and in no history.
  const secret = /^#lab=(.+)/.exec(location.hash)?.[1];
  if (secret) {
    history.replaceState(null, "", "/#lab");
    openLab(decodeURIComponent(secret), "page");
  }
  const sections = $$("main > section[id]");
  const view = sections.find(({ id }) => "#" + id === location.hash) ?? sections[0];
  for (const section of sections) section.hidden = section !== view;
  for (const a of $$("nav a")) a.ariaCurrent = a.hash === "#" + view.id ? "page" : null;
  document.body.dataset.view = view.id;
  const title = $("h1", view);
  document.title = view.id === "start" ? "shelf" : title.textContent + " · shelf";
  scrollTo(0, 0);
  if (view.id === "token" && current()) listTokens("page");
  showRows(view.id);
  return title;
}

startWire();
startAccount();
startRows();
startClock(drawAttacks);
startLab();
learnHandlers();
addEventListener("hashchange", () => {
  if (location.hash !== "#main") go().focus({ preventScroll: true }); // to skip to the content is the browser's
});
go();
