// A plain table of each collection.
import { $, button, el } from "./dom.js";
import { ask, current, onSession } from "./account.js";
import { send } from "./wire.js";
import { cellText, collectionsOf, columnsOf, parse } from "./cells.js";

const perPage = 10, most = 8;
let tables = [];

function table({ name, address, single }) {
  const count = el("span", { class: "tag" }), body = el("div"), where = el("span");
  let page = 1, asked = 0;
  const turn = (text, by) => button(text, () => ((page += by), load("you")), { class: "quiet", "aria-label": `${text} page of ${name}` });
  const previous = turn("Previous", -1), next = turn("Next", 1);
  const pages = el("p", { class: "buttons soft" }, previous, where, next);

  async function load(by = "page") {
    const mine = ++asked;
    const answer = await (current() ? ask : send)("GET", single ? address : `${address}?_page=${page}&_limit=${perPage}`, { by });
    if (mine !== asked) return;
    const total = answer.header("X-Total-Count"), last = Math.ceil(total / perPage) || 1;
    if (page > last) return (page = last), load(by);
    count.textContent = total;
    pages.hidden = last === 1;
    where.textContent = `Page ${page} of ${last}`;
    [previous.disabled, next.disabled] = [page === 1, page === last];
    body.replaceChildren(answer.ok ? drawn([parse(answer.text)].flat()) : refusal(answer));
  }

  function drawn(rows) {
    const columns = columnsOf(rows), rest = columns.splice(most);
    if (rest.length > 0) columns.push("and more");
    const value = (row, column, i) => (i < most ? row[column] : Object.fromEntries(rest.map((name) => [name, row[name]])));
    return rows.length === 0 ? "No rows." : el("table", { class: "rows", "aria-label": name },
      el("thead", {}, el("tr", {}, columns.map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((column, i) => el("td", { "data-label": column }, cellText(value(row, column, i))))))));
  }

  const node = el("details", { class: "card", toggle: () => node.open && load() },
    el("summary", {}, el("b", {}, name), " ", count), el("a", { href: address }, address), body, pages);
  return { node, load };
}

const refusal = ({ status, json, says }) => (status === 401 && !current() ? "Sign in to read it." : typeof json === "string" ? json : says);

export function showCollections(view) {
  if (view !== "collections") return;
  for (const { node, load } of tables) if (node.open) load();
  if ($("#tables *")) return;
  $("#tables").append(...tables.map(({ node }) => node));
  for (const { node } of tables.slice(0, 12)) node.open = true; // loads it
}

// startCollections learns from openapi.json which there are.
export function startCollections(description) {
  tables = collectionsOf(description).map(table);
  const { body } = document, show = () => showCollections(body.dataset.view);
  body.classList.toggle("rows-on", tables.length > 0);
  show();
  onSession(show);
}
