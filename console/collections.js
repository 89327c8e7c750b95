// A table of each collection, which adapts to the fields of its rows.
import { $, button, el } from "./dom.js";
import { ask, current, onSession } from "./session.js";
import { send } from "./wire.js";
import { onEvents } from "./events.js";
import { cellText, collectionsOf, columnsOf, isLong, kindOf, parse, pretty } from "./cells.js";

const most = 8; // columns; the rest is in one
const sizes = [10, 25, 100, 500];
let tables = [];

// cell shows a value. What is long or nested opens.
function cell(name, value) {
  const kind = kindOf(name, value), text = cellText(value);
  if (kind === "json" && text.length > 60 || isLong(value)) {
    const box = el("details", { class: "value", toggle: () => box.open && box.children.length === 1 && box.append(el("pre", { tabindex: 0, role: "group", "aria-label": name }, pretty(value))) },
      el("summary", {}, kind === "json" ? el("code", {}, text) : text));
    return el("td", { "data-label": name, class: kind }, box);
  }
  return el("td", { "data-label": name, class: kind, title: kind === "id" && text.length > 24 && text }, kind === "json" ? el("code", {}, text) : text);
}

// controls are what stands around the rows of a table: state is { page, size, q, sort, order }.
function controls(name, state, load) {
  const go = (change) => (Object.assign(state, change), load("you"));
  const turn = (text, by) => button(text, () => go({ page: state.page + by }), { class: "quiet", "aria-label": `${text} page of ${name}` });
  const previous = turn("Previous", -1), next = turn("Next", 1), where = el("span");
  const wanted = el("input", { type: "number", min: 1, inputmode: "numeric", "aria-label": `Go to a page of ${name}` });
  const jump = el("form", { class: "jump", novalidate: true, submit: (event) => {
    event.preventDefault();
    if (wanted.value) go({ page: Math.max(1, Math.floor(wanted.value)) });
    wanted.value = "";
  } }, wanted, el("button", { class: "quiet" }, "Go"));
  const size = el("select", { "aria-label": `Rows a page of ${name}`, change: () => go({ size: Number(size.value), page: 1 }) }, sizes.map((n) => el("option", {}, n)));
  let typing;
  const search = el("input", { type: "search", placeholder: "Search", "aria-label": `Search in ${name}`, input: () => {
    clearTimeout(typing);
    typing = setTimeout(() => go({ q: search.value.trim(), page: 1 }), 250);
  } });
  const top = el("p", { class: "tools" }, search, el("label", { class: "inline" }, "Rows a page ", size));
  const bottom = el("p", { class: "buttons soft" }, previous, where, next, jump);
  return { top, bottom, go, update(total) {
    const last = Math.ceil(total / state.size) || 1;
    top.hidden = total <= sizes[0] && !state.q;
    bottom.hidden = last === 1;
    jump.hidden = last < 4;
    wanted.max = last;
    where.textContent = `Page ${state.page.toLocaleString("en-GB")} of ${last.toLocaleString("en-GB")}`;
    [previous.disabled, next.disabled] = [state.page === 1, state.page === last];
    return last;
  } };
}

function table({ name, address, single, route }) {
  const state = { page: 1, size: sizes[0], q: "", sort: "", order: "asc" };
  const count = el("span", { class: "tag" }), body = el("div", { class: "scroll" });
  let asked = 0, coming;

  function addressNow() {
    if (single) return address;
    const query = new URLSearchParams({ _page: state.page, _limit: state.size });
    if (state.q) query.set("q", state.q);
    if (state.sort) [["_sort", state.sort], ["_order", state.order]].forEach((pair) => query.set(...pair));
    return `${address}?${query}`;
  }

  async function load(by = "page") {
    const mine = ++asked;
    const answer = await (current() ? ask : send)("GET", addressNow(), { by });
    if (mine !== asked) return;
    const total = answer.header("X-Total-Count");
    const last = around.update(Number(total));
    if (answer.ok && state.page > last) return (state.page = last), load(by);
    count.textContent = total && Number(total).toLocaleString("en-GB");
    const sorted = document.activeElement?.dataset.sort;
    body.replaceChildren(answer.ok ? drawn([parse(answer.text)].flat()) : refusal(answer));
    if (sorted) [...body.querySelectorAll("[data-sort]")].find(({ dataset }) => dataset.sort === sorted)?.focus();
  }
  const around = controls(name, state, load);

  // title is a column's name. A press sorts by it, one more the other way round.
  function title(column, i, rows) {
    const look = rows.some((row) => row[column] !== undefined && kindOf(column, row[column]) === "number") && "number";
    if (single || i >= most) return el("th", { scope: "col", class: look, title: column }, column);
    const on = state.sort === column, turned = on && state.order === "asc";
    return el("th", { scope: "col", class: look, title: column, "aria-sort": on ? (turned ? "ascending" : "descending") : null },
      button(column, () => around.go({ sort: column, order: turned ? "desc" : "asc", page: 1 }), { class: "sort", "data-sort": column }));
  }

  function drawn(rows) {
    const columns = columnsOf(rows), rest = columns.splice(most);
    if (rest.length > 0) columns.push("and more");
    const value = (row, column, i) => (i < most ? row[column] : Object.fromEntries(rest.map((name) => [name, row[name]])));
    return rows.length === 0 ? (state.q ? "No row is like that." : "No rows.") : el("table", { class: "rows", "aria-label": name },
      el("thead", {}, el("tr", {}, columns.map((column, i) => title(column, i, rows)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((column, i) => cell(column, value(row, column, i)))))));
  }

  const node = el("details", { class: "card", toggle: () => node.open && load() },
    el("summary", {}, el("b", {}, name), " ", count), el("p", {}, el("a", { href: address }, address), " ", el("a", { href: "#docs/" + encodeURIComponent(route), class: "soft" }, "try its routes")), around.top, body, around.bottom);
  return { name, node, load, reload() {
    clearTimeout(coming);
    coming = setTimeout(() => node.open && document.body.dataset.view === "collections" && load(), 300);
  } };
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
  onEvents({ begin: () => tables.forEach(({ reload }) => reload()), event: (kind) => tables.find(({ name }) => name === kind)?.reload() });
}
