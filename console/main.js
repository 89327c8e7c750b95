// The console. wire.js sends and shows every request, session.js has the sign-in. Each part
// of the page has a file: start.js, docs.js (with operations.js and snippets.js), tokens.js
// and own.js, rows.js, collections.js, me.js (the part Account), lab.js and forge.js with
// clock.js. account.js signs in and out, events.js follows what happens, and pulse.js
// watches whether the server is there.
import { $, $$ } from "./dom.js";
import { learnHandlers, send, startWire } from "./wire.js";
import { ask, current, onSession } from "./session.js";
import { comeBack, refresh, signInFrom, startAccount } from "./account.js";
import { listTokens, startTokens } from "./tokens.js";
import { showRows, startRows } from "./rows.js";
import { showCollections, startCollections } from "./collections.js";
import { drawAttacks, startLab } from "./lab.js";
import { offer, startOwn } from "./own.js";
import { openLab, startClock } from "./clock.js";
import { describe, showStart, startStart } from "./start.js";
import { describeRoutes, openRoute, startDocs } from "./docs.js";
import { showAccount, startMe } from "./me.js";
import { startEvents } from "./events.js";
import { examine, onReturn, startPulse } from "./pulse.js";

const home = location.pathname; // "/", "/docs", or "/console/" where another page is at "/"

// partNamed returns the part that an address names, and what in it. /docs is the part
// Docs, and #docs/listItems one of its routes.
function partNamed() {
  const [id, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  const name = id || (location.pathname.endsWith("/docs") ? "docs" : "start");
  const sections = $$("main > section[id]");
  const view = sections.find((section) => section.id === (name === "signin" ? "start" : name));
  return { sections, view: view ?? sections[0], name, rest: rest.join("/") };
}

let at = ""; // the address that is shown

// go shows the part of the page that the address names.
function go() {
  // shelf -lab prints a link with its secret after the #. go removes it from
  // the address at once, so that it is not shown or kept in the history.
  const secret = /^#lab=(.+)/.exec(location.hash)?.[1];
  if (secret) {
    history.replaceState(null, "", home + "#lab");
    openLab(decodeURIComponent(secret), "page");
  }
  const from = document.body.dataset.view;
  const { sections, view, name, rest } = partNamed();
  for (const section of sections) section.hidden = section !== view;
  for (const a of $$("nav a")) a.ariaCurrent = a.hash === "#" + view.id ? "page" : null;
  document.body.dataset.view = view.id;
  const address = view.id === "docs" ? "/docs" + (rest ? location.hash : "") : home + location.hash;
  if (location.pathname + location.hash !== address) history.replaceState(null, "", address);
  const title = $("h1", view);
  document.title = view.id === "start" ? "shelf" : title.textContent + " · shelf";
  at = location.href;
  scrollTo(0, 0);
  $("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  show(view.id);
  if (name === "signin") return signInFrom(from);
  if (rest && openRoute(rest)) return null;
  return title;
}

// show has the part read what it shows.
function show(view) {
  if (view === "start") showStart();
  if (view === "token" && current()) listTokens("page");
  showRows(view);
  showCollections(view);
  showAccount(view);
}

// learn reads openapi.json by send or by ask, and shows it.
async function learn(by) {
  const description = await learnHandlers(by);
  describe(description);
  describeRoutes(description);
  return description;
}

// startLearning reads openapi.json, and again for each account where the collections'
// types depend on who reads them.
async function startLearning() {
  startCollections(await learn(send));
  const { rest } = partNamed();
  if (rest) openRoute(rest);
  const again = (session) => session && document.body.classList.contains("rows-on") && learn(ask);
  onSession(again);
  again(current()); // of a sign-in that came first, such as after a reload
}

startWire();
startAccount();
startTokens(refresh);
startRows();
startClock(drawAttacks, examine);
startOwn();
startStart();
startDocs();
startMe();
startPulse(refresh);
startLab(offer);
startEvents();
startLearning();
onReturn(() => show(document.body.dataset.view));
function arrive() {
  if (location.hash !== "#main" && location.href !== at) go()?.focus({ preventScroll: true }); // the browser itself handles "skip to the content"
}
addEventListener("hashchange", arrive);
addEventListener("popstate", () => setTimeout(arrive)); // the way back from /docs may change the path only
// A link to /docs shows that part without a new page, which would forget the tokens.
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href="/docs"], a[href="#signin"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  if (link.hash) return location.hash === link.hash && signInFrom();
  event.preventDefault();
  location.hash = "#docs";
});
comeBack();
go();
