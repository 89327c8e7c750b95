// The console. wire.js sends and shows every request. account.js has the
// sign-in and the tokens, rows.js and collections.js the tables. lab.js has the attacks, forge.js
// makes their tokens, and clock.js controls the lab's clock.
import { $, $$ } from "./dom.js";
import { learnHandlers, startWire } from "./wire.js";
import { current, listTokens, startAccount } from "./account.js";
import { showRows, startRows } from "./rows.js";
import { showCollections, startCollections } from "./collections.js";
import { drawAttacks, startLab } from "./lab.js";
import { openLab, startClock } from "./clock.js";

// go shows the part of the page that the address names.
function go() {
  // shelf -lab prints a link with its secret after the #. go removes it from
  // the address at once, so that it is not shown or kept in the history.
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
  showCollections(view.id);
  return title;
}

startWire();
startAccount();
startRows();
startClock(drawAttacks);
startLab();
learnHandlers().then(startCollections);
addEventListener("hashchange", () => {
  if (location.hash !== "#main") go().focus({ preventScroll: true }); // the browser itself handles "skip to the content"
});
go();
