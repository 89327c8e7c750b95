// The part Start: where the API is, what is there, and the first lines of code.
import { $, $$, copy, el, onClick } from "./dom.js";
import { send } from "./wire.js";
import { ask, current } from "./session.js";
import { collectionsOf } from "./cells.js";
import { exampleOf, follow } from "./operations.js";
import { sixLines } from "./snippets.js";

const most = 40; // collections whose rows are counted
let resources = [];

// resourcesOf lists what the server has: name, address, the part of the page that shows
// it, and the parameter that makes a count cheap.
function resourcesOf(description) {
  const collections = collectionsOf(description).map(({ name, address, single, route }) => ({ name, address, part: "collections", limit: single ? "" : "?_limit=1", single, guarded: route === "readMembers" }));
  return [...collections,
    { name: "Items", address: "/api/v1/items", part: "items", limit: "?limit=1", guarded: true },
    { name: "Books", address: "/bookapi/books", part: "books", limit: "?limit=1", guarded: true }];
}

function line(resource) {
  const count = el("b", { class: "number" }, "…");
  const state = el("span", { class: "soft" });
  Object.assign(resource, { count, state });
  return el("li", {}, el("a", { class: "name", href: "#" + resource.part }, resource.name), count, state,
    el("a", { class: "address", href: resource.address, title: resource.address }, resource.address));
}

// countRows asks how many rows there are that the caller may read.
async function countRows({ name, address, limit, single, guarded, count, state }) {
  if (guarded && !current()) return ([count.textContent, state.textContent] = ["–", "sign in to read"]);
  const { ok, status, header } = await (current() ? ask : send)("HEAD", address + limit, { quiet: true, by: "page" });
  const total = header("X-Total-Count");
  const denied = status === 401 || status === 403 || status === 422;
  count.textContent = ok ? (single ? "1" : total && Number(total).toLocaleString("en-GB")) : denied ? "–" : "?";
  state.textContent = ok ? (single ? "object" : total === "1" ? "row" : "rows") : !denied ? "not known" : current() ? "not yours to read" : "sign in to read";
  count.title = `${count.textContent} of ${name}`;
}

export function showStart() {
  resources.slice(0, most).forEach(countRows);
}

// firstCollection is one to try: it takes rows, and best has an example of one.
function firstCollection(description) {
  const all = collectionsOf(description).filter(({ name, single }) => !single && name !== "users").map((one) => ({ ...one, row: plainRow(description, one.address) }));
  const one = all.find(({ row }) => row) ?? all[0];
  return one && { ...one, row: one.row ?? { title: "Hello" } };
}

// plainRow is an example of a row, without what is nested; null where no row is known.
function plainRow(description, address) {
  const list = description.paths[address].get.responses["200"]?.content?.["application/json"];
  const { id, userId, ...row } = Object(exampleOf(description, { schema: follow(description, list?.schema).items }));
  const known = Object.entries(row).filter(([, value]) => Object(value) !== value && value != null).slice(0, 3);
  return known.length > 0 ? Object.fromEntries(known) : null;
}

export function startStart() {
  for (const node of $$("#base, [data-base]")) node.textContent = location.origin;
  onClick("#copy-base", () => copy(location.origin, "Base URL copied"));
  onClick("#copy-lines", () => copy($("#lines").textContent, "Six lines copied"));
}

// describe fills the part by openapi.json.
export function describe(description) {
  resources = resourcesOf(description);
  $("#there").replaceChildren(...resources.map(line));
  $("#lines").textContent = sixLines(location.origin, firstCollection(description), Boolean(description?.paths?.["/register"])).join("\n");
  if (document.body.dataset.view === "start") showStart();
}
