// Items and books: the same kind of table for both. Events keep them up to date.
import { $, busy, button, el, onSubmit, say } from "./dom.js";
import { ask, current, onSession } from "./session.js";
import { onEvents } from "./events.js";

const sizes = [10, 25, 100, 1000]; // rows a page

const kinds = {
  item: {
    list: "/api/v1/items", add: "/api/v1/items", rows: (json) => json.data,
    fields: { itemname: "Item", category: "Category", description: "Description" },
    orders: { "-id": "Newest first", id: "Oldest first", itemname: "By name", "-itemname": "By name, reversed", category: "By category" },
    filters: true, // rows can be filtered and edited
    examples: [[["lamp", "light", "Bends its neck"], ["ladder", "tools", "For the upper boards"], ["dust cloth", "tools", "Once a week"]]
      .map(([itemname, category, description]) => ({ itemname, category, description }))],
  },
  book: {
    list: "/bookapi/books", add: "/bookapi/addbook", rows: (json) => json.Books,
    fields: { title: "Title", author: "Author" },
    orders: { "-id": "Newest first", id: "Oldest first", title: "By title", author: "By author" },
    examples: [{ title: "The Name of the Rose", author: "Umberto Eco" }, { title: "Dune", author: "Frank Herbert" }],
  },
};

// A table shows one page of a list. The server does the paging, sorting and
// searching.
function table(kind) {
  const { list, add, rows: rowsOf, fields, orders, filters, examples } = kinds[kind];
  const names = Object.keys(fields), main = names[0], width = names.length + 2;
  const called = (row) => `“${row[main]}”`;
  const hidden = (text, ...control) => el("label", {}, el("span", { class: "unseen" }, text), control);
  const error = () => el("p", { class: "form-error", role: "alert" });
  const input = (name, value = "", form) => el("label", {}, fields[name], el("input", { name, value, form, autocomplete: "off", list: name === "category" && "categories" }));

  const form = el("form", { class: "card fields add", novalidate: true, "aria-label": "Add " + (filters ? "an item" : "a book") },
    names.map((name) => input(name)), el("button", { class: "primary" }, "Add"), error());
  const tools = el("form", { class: "tools", role: "search", "aria-label": kind + "s" },
    hidden(filters ? "Search in name and description" : "Search in title and author", el("input", { type: "search", name: "q", placeholder: "Search" })),
    filters && hidden("Category", el("select", { name: "category" }, el("option", { value: "" }, "All categories"))),
    hidden("Order", el("select", { name: "sort" }, Object.entries(orders).map(([value, text]) => el("option", { value }, text)))),
    filters && el("label", { class: "check" }, el("input", { type: "checkbox", name: "createdby" }), " Mine only"),
    el("label", { class: "inline" }, "Rows a page ", el("select", { name: "limit" }, sizes.map((n) => el("option", {}, n)))));
  const body = el("tbody");
  const count = el("span", { class: "count" }), page = el("span");
  const previous = button("Previous", () => turn(() => pages.pop()), { class: "quiet" });
  const next = button("Next", () => turn(() => pages.push(following)), { class: "quiet" });
  const view = $(`#${kind}s`);
  $(".when-in", view).append(form, tools,
    el("table", { class: "rows" }, el("caption", { class: "unseen" }, kind + "s"),
      el("thead", {}, el("tr", {}, ["Id", ...Object.values(fields)].map((title) => el("th", { scope: "col" }, title)), el("td"))), body),
    el("p", { class: "buttons soft" }, count, previous, page, next));

  let rows = [];
  let pages = [null]; // addresses of this page and the ones before
  let following = ""; // address of the next page
  let editing = null; // the only row being edited: { id, etag, node }
  let asked = 0;
  const fresh = new Set(); // ids to mark as new or changed

  async function load(by = "page") {
    if (!current()) return;
    const mine = ++asked;
    const query = new URLSearchParams();
    for (const { name, type, checked, value } of tools.elements) {
      if (type === "checkbox" ? checked : value.trim()) query.set(name, type === "checkbox" ? current().id : value.trim());
    }
    const answer = await ask("GET", pages.at(-1) ?? `${list}?${query}`, { by });
    if (mine !== asked) return; // a later request is running
    if (!answer.ok) return say(answer.says, true);
    rows = rowsOf(answer.json);
    const link = /<([^>]*)>; rel="next"/.exec(answer.header("Link")); // RFC 8288
    following = link ? link[1].replace(location.origin, "") : "";
    if (rows.length === 0 && pages.length > 1) { // its last row was deleted
      pages.pop();
      return load(by);
    }
    const total = answer.header("X-Total-Count");
    count.textContent = total ? `${total} ${kind}${total === "1" ? "" : "s"}` : `${rows.length}${following ? "+" : ""} found`;
    draw();
    if (filters) await categories();
  }

  async function categories() {
    const answer = await ask("GET", "/api/v1/categories", { by: "page" });
    if (!answer.ok) return;
    const { category } = tools.elements, chosen = category.value;
    const options = (text) => answer.json.data.map((c) => el("option", { value: c.category }, text(c)));
    category.replaceChildren(category[0], ...options((c) => `${c.category} (${c.items})`));
    category.value = chosen;
    if (category.selectedIndex < 0) category.selectedIndex = 0;
    $("#categories").replaceChildren(...options(() => null));
  }

  function draw() {
    page.textContent = pages.length > 1 || following ? "Page " + pages.length : "";
    previous.disabled = pages.length === 1;
    next.disabled = following === "";
    // An unchanged line is kept, and so is the focus in it.
    const lines = [...body.children];
    const nodes = rows.map((row) => (editing?.id === row.id ? editing.node : lines.find(({ dataset }) => dataset.row === JSON.stringify(row)) ?? line(row)));
    if (editing && !nodes.includes(editing.node)) nodes.unshift(editing.node);
    for (const node of lines) if (!nodes.includes(node)) node.remove();
    nodes.forEach((node, i) => node === body.children[i] || body.insertBefore(node, body.children[i]));
    if (nodes.length > 0) return;
    const searching = [...tools.elements].some((e) => !["sort", "limit"].includes(e.name) && (e.type === "checkbox" ? e.checked : e.value));
    body.append(el("tr", {}, el("td", { class: "none", colspan: width }, searching ? `No ${kind} is like that.` : [`No ${kind}s yet. `, button("Add a few", addExamples, { class: "quiet" })])));
  }

  function line(row) {
    const own = row.createdby === current()?.id;
    return el("tr", { class: fresh.delete(row.id) && "fresh", "data-id": row.id, "data-row": JSON.stringify(row) },
      el("td", { "data-label": "Id", class: "id" }, row.id),
      names.map((name) => el("td", { "data-label": fields[name] }, name === main ? el("b", {}, row[name]) : row[name])),
      el("td", { class: "acts" },
        filters && own && el("span", { class: "tag" }, "yours"), " ",
        filters && button("Edit", () => edit(row), { class: "quiet", "aria-label": "Edit " + row[main] }), " ",
        el("button", { type: "button", class: "quiet danger", "aria-label": "Delete " + row[main], click: (event) => confirmDelete(event.target, row) }, "Delete")));
  }

  // confirmDelete asks for confirmation with the button itself. Both texts have the same
  // width, so that nothing moves under the pointer.
  function confirmDelete(node, row) {
    if (node.dataset.sure) return busy(node, () => remove(row));
    const word = (text, label = text) => ([node.textContent, node.ariaLabel] = [text, `${label} ${row[main]}`]);
    word("Really?", "Really? Delete");
    node.dataset.sure = "?";
    node.addEventListener("blur", () => delete node.dataset.sure && word("Delete"), { once: true });
  }

  async function remove(row) {
    const answer = await ask("DELETE", `${list}/${row.id}`);
    say(answer.ok ? "Deleted " + called(row) : answer.says, !answer.ok);
    reload();
  }

  async function addExamples() {
    for (const json of examples) {
      const answer = await ask("POST", add, { json });
      if (!answer.ok) return say(answer.says, true);
    }
    reload();
  }

  onSubmit(form, async () => {
    const json = valuesOf(form);
    const answer = await ask("POST", add, { json });
    if (!showFault(form, answer)) return;
    form.reset();
    form.elements[main].focus();
    fresh.add(answer.json.data?.[0].id);
    say("Added " + called(json));
    reload();
  });

  const valuesOf = (form) => Object.fromEntries(names.map((name) => [name, form.elements[name].value]));

  // showFault shows the API's error at its field, and reports whether there was
  // none.
  function showFault(form, { ok, says, status }) {
    const about = ok ? "" : names.find((name) => says.replaceAll(" ", "").includes(name)) ?? (status === 400 && names.find((name) => !form.elements[name].value.trim()));
    $(".form-error", form).textContent = ok ? "" : says;
    for (const name of names) form.elements[name].ariaInvalid = name === about ? "true" : null;
    form.elements[about || ""]?.focus();
    return ok;
  }

  // --- editing in place

  // edit first reads the row, for its ETag: the version that the change is
  // based on.
  async function edit({ id }) {
    const answer = await ask("GET", `${list}/${id}`);
    if (!answer.ok) return say(answer.says, true);
    const [row] = rowsOf(answer.json);
    const form = el("form", { novalidate: true, "aria-label": "Edit " + row[main], keydown: (event) => event.key === "Escape" && stop() },
      el("div", { class: "fields add" }, names.map((name) => input(name, row[name]))),
      error(),
      el("p", { class: "buttons" },
        el("button", { class: "primary" }, "Save"), button("Cancel", stop),
        button("Let another tab change it first", () => meddle(id), { class: "quiet", title: "Sends a change of the same item, as another tab would" })));
    onSubmit(form, () => put(valuesOf(form), form));
    editing = { id, etag: answer.header("ETag"), node: el("tr", { class: "editing", "data-id": id }, el("td", { colspan: width }, form)) };
    draw();
    form.elements[main].focus();
  }

  function stop() {
    const id = editing?.id;
    editing = null;
    draw();
    $(`[data-id="${id}"] button`, body)?.focus();
  }

  async function meddle(id) {
    const answer = await ask("PATCH", `${list}/${id}`, { json: { description: "Changed by another tab at " + new Date().toLocaleTimeString("en-GB") } });
    say(answer.ok ? "Another tab has changed it. Now save yours." : answer.says, !answer.ok);
  }

  async function put(mine, form) {
    const { id, etag } = editing;
    const answer = await ask("PUT", `${list}/${id}`, { json: mine, headers: { "If-Match": etag } });
    if (answer.status === 412) return conflict(mine);
    if (form ? !showFault(form, answer) : !answer.ok) return say(answer.says, true);
    fresh.add(id);
    say("Saved " + called(mine));
    stop();
    reload();
  }

  // conflict shows both versions and lets the user choose. The server has
  // rejected the change because of If-Match, so nothing is lost (RFC 9110
  // §13.1.1).
  async function conflict(mine) {
    const answer = await ask("GET", `${list}/${editing.id}`, { by: "page" });
    if (!answer.ok) {
      stop();
      return say(answer.says, true);
    }
    const [theirs] = rowsOf(answer.json), etag = answer.header("ETag"), old = editing.etag;
    const short = (tag) => el("code", {}, tag.slice(0, 8) + "…\"");
    const version = (title, row, other, choice) => el("section", { class: "card" }, el("h3", {}, title),
      el("dl", {}, names.map((name) => [el("dt", { class: "soft" }, fields[name]), el("dd", {}, row[name] === other[name] ? row[name] : el("mark", {}, row[name]))])), choice);
    const keep = button("Keep the server’s", () => (stop(), reload()), { class: "primary" });
    editing.node.firstChild.replaceChildren(el("div", { class: "conflict", role: "group", "aria-label": "Conflict" },
      el("h2", {}, "412: another change was faster"),
      el("p", {}, "You read version ", short(old), " and sent it along as ", el("code", {}, "If-Match"), ". By now the server has ", short(etag), ", so it changed nothing. Which one shall stay?"),
      el("div", { class: "fields" },
        version("Yours, not saved", mine, theirs, button("Save mine over it", () => {
          editing.etag = etag;
          return put(mine);
        })),
        version("The server’s, saved meanwhile", theirs, mine, keep))));
    keep.focus();
    say("Conflict: it was changed since you read it", true);
  }

  // --- searches, pages, and what others do

  const turn = (change) => (change(), load("you"));
  let typing, coming;
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => turn(() => (pages = [null])), 250);
  });
  // reload waits for the event of the same change.
  const reload = () => {
    clearTimeout(coming);
    coming = setTimeout(() => view.hidden || load(), 150);
  };

  return {
    load, reload,
    reset() {
      [rows, pages, following, editing] = [[], [null], "", null];
      body.replaceChildren();
    },
    // applyEvent applies a change by any user to a row.
    applyEvent(what, row) {
      if (view.hidden) return;
      const at = rows.findIndex(({ id }) => id === row.id);
      if (what !== "changed") return (what === "created") === (at < 0) && reload();
      if (at < 0 || names.every((name) => rows[at][name] === row[name])) return;
      rows[at] = row;
      fresh.add(row.id);
      draw();
    },
  };
}

let tables;
let whose;

// showRows is told which part of the page is visible.
export function showRows(view) {
  if (current()) tables[view.slice(0, -1)]?.load();
}

export function startRows() {
  tables = { item: table("item"), book: table("book") };
  onSession((session) => {
    if (session?.name !== whose) for (const t of Object.values(tables)) t.reset();
    whose = session?.name;
  });
  onEvents({
    begin: () => Object.values(tables).forEach((t) => t.reload()),
    event(kind, what, row) {
      if (kind === "creator") Object.values(tables).forEach((t) => t.reload());
      else tables[kind]?.applyEvent(what, row);
    },
  });
}
