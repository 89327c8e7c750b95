// Items and books: one kind of table for both, kept up to date by the stream of
// events.
import { $, busy, el, say } from "./dom.js";
import { ask, current, expired, onSession } from "./account.js";
import { stream } from "./wire.js";

const perPage = 10;

const resources = {
  item: {
    list: "/api/v1/items", add: "/api/v1/items", row: (id) => "/api/v1/items/" + id,
    rows: (json) => json.data,
    fields: ["itemname", "category", "description"],
    titles: ["Item", "Category", "Description"],
    filters: true, edits: true,
    examples: [
      { itemname: "lamp", category: "light", description: "Bends its neck to read with you" },
      { itemname: "ladder", category: "tools", description: "For the upper boards" },
      { itemname: "dust cloth", category: "tools", description: "Once a week" },
    ],
  },
  book: {
    list: "/bookapi/books", add: "/bookapi/addbook", row: (id) => "/bookapi/books/" + id,
    rows: (json) => json.Books,
    fields: ["title", "author"],
    titles: ["Title", "Author"],
    examples: [{ title: "Dune " + new Date().getFullYear(), author: "Frank Herbert" }],
  },
};

// A table shows one page of a list. It asks the server for each page, order and
// search; nothing of that is done here.
function table(kind) {
  const { list, add, row: pathOf, rows: rowsOf, fields, titles, filters, edits } = resources[kind];
  const view = $(`#${kind}s`);
  const body = $("tbody", view);
  const form = $("form.add", view);
  const tools = $("form.tools", view);
  let rows = [];
  let pages = [null]; // the addresses of this page and those before it
  let next = "";
  let editing = null; // { id, etag, node }: there is one at a time
  let fresh = new Set(); // ids to be marked as new or changed
  let asked = 0;

  async function load(by = "page") {
    if (!current()) return;
    const query = new URLSearchParams({ limit: perPage });
    for (const { name, value, type, checked } of tools.elements) {
      if (name && (type === "checkbox" ? checked : value.trim() !== "")) query.set(name, type === "checkbox" ? current().id : value.trim());
    }
    const mine = ++asked;
    const answer = await ask("GET", pages.at(-1) ?? `${list}?${query}`, { by });
    if (mine !== asked) return; // a later one is under way
    if (!answer.ok) return say(answer.says, true);
    rows = rowsOf(answer.json);
    const link = /<([^>]*)>; rel="next"/.exec(answer.header("Link"))?.[1];
    next = link ? new URL(link).pathname + new URL(link).search : "";
    if (rows.length === 0 && pages.length > 1) { // its last row is gone
      pages.pop();
      return load(by);
    }
    const total = answer.header("X-Total-Count");
    $(".count", view).textContent = total ? `${total} ${total === "1" ? kind : kind + "s"}` : `${rows.length}${next ? "+" : ""} found`;
    draw();
    if (filters) await categories();
  }

  async function categories() {
    const answer = await ask("GET", "/api/v1/categories", { by: "page" });
    if (!answer.ok) return;
    const select = tools.elements.category;
    const chosen = select.value;
    const all = answer.json.data;
    if (chosen && !all.some((c) => c.category === chosen)) all.push({ category: chosen, items: 0 });
    select.replaceChildren(el("option", { value: "" }, "All categories"), ...all.map((c) => el("option", { value: c.category }, `${c.category} (${c.items})`)));
    select.value = chosen;
    $("#categories").replaceChildren(...all.map((c) => el("option", { value: c.category })));
  }

  function draw() {
    const page = pages.length;
    $(".page", view).textContent = page > 1 || next ? "Page " + page : "";
    $(".previous", view).disabled = page === 1;
    $(".next", view).disabled = next === "";
    body.replaceChildren(...rows.map((r) => (editing?.id === r.id ? editing.node : rowNode(r))));
    if (rows.length === 0) {
      const some = [...tools.elements].some((e) => e.name && e.name !== "sort" && (e.type === "checkbox" ? e.checked : e.value));
      body.append(el("tr", { class: "none" }, el("td", { colspan: fields.length + 2 },
        some ? `No ${kind} is like that.` : [`No ${kind}s yet. `, el("button", { type: "button", class: "quiet", click: (e) => busy(e.target, examples) }, "Add a few")])));
    }
    if (editing && !rows.some((r) => r.id === editing.id)) body.prepend(editing.node);
  }

  function rowNode(r) {
    const name = r[fields[0]];
    const node = el("tr", { class: fresh.delete(r.id) ? "fresh" : "", "data-id": r.id },
      el("td", { class: "id", "data-label": "Id" }, r.id),
      fields.map((f, i) => el("td", { "data-label": titles[i], class: i === 0 ? "name" : "" }, r[f])),
      el("td", { class: "acts" },
        edits && (r.createdby === current()?.id ? el("span", { class: "tag" }, "yours") : null),
        edits && el("button", { type: "button", class: "quiet", "aria-label": "Edit " + name, click: (e) => busy(e.target, () => edit(r)) }, "Edit"),
        el("button", { type: "button", class: "quiet danger", "aria-label": "Delete " + name, click: (e) => sure(e.target, r) }, "Delete")));
    return node;
  }

  // sure asks by its own button whether a row should go.
  function sure(button, r) {
    if (button.dataset.sure) return busy(button, () => remove(r));
    button.dataset.sure = "yes";
    button.textContent = "Really delete";
    button.addEventListener("blur", () => {
      delete button.dataset.sure;
      button.textContent = "Delete";
    }, { once: true });
  }

  async function remove(r) {
    const answer = await ask("DELETE", pathOf(r.id));
    say(answer.ok ? `Deleted “${r[fields[0]]}”` : answer.says, !answer.ok);
    if (answer.ok) await load();
  }

  async function examples() {
    for (const json of filters ? [resources[kind].examples] : resources[kind].examples) {
      const answer = await ask("POST", add, { json });
      if (!answer.ok) return say(answer.says, true);
    }
    await load();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter ?? form, async () => {
      const json = Object.fromEntries(fields.map((f) => [f, form.elements[f].value]));
      const answer = await ask("POST", add, { json });
      faults(form, answer);
      if (!answer.ok) return;
      form.reset();
      form.elements[fields[0]].focus();
      const made = answer.json.data?.[0];
      if (made) fresh.add(made.id);
      say(`Added “${json[fields[0]]}”`);
      await load();
    });
  });

  // faults puts what the API says at the field that it is about.
  function faults(within, answer) {
    const error = $(".form-error", within);
    error.textContent = answer.ok ? "" : answer.says;
    const about = { "Invalid item name": "itemname", "Invalid category name": "category", "Invalid description": "description", "Book with same title already exists!": "title" }[answer.says]
      ?? (answer.status === 400 ? /'(\w+)'/.exec(answer.says)?.[1] ?? fields.find((f) => within.elements[f].value.trim() === "") : null);
    for (const f of fields) within.elements[f].toggleAttribute("aria-invalid", false);
    if (answer.ok || !within.elements[about]) return;
    within.elements[about].setAttribute("aria-invalid", "true");
    within.elements[about].focus();
  }

  // --- editing in place

  // edit reads the row first, for its ETag: that is the version which the change
  // is meant for.
  async function edit(r) {
    const answer = await ask("GET", pathOf(r.id));
    if (!answer.ok) return say(answer.says, true);
    const row = rowsOf(answer.json)[0];
    const id = `edit-${row.id}`;
    const input = (f, i) => el("label", {}, titles[i], el("input", { name: f, value: row[f], form: id, autocomplete: "off" }));
    const node = el("tr", { class: "editing", "data-id": row.id }, el("td", { colspan: fields.length + 2 },
      el("form", { id, novalidate: true, "aria-label": "Edit " + row[fields[0]], submit: save, keydown: (e) => e.key === "Escape" && stop() },
        el("div", { class: "fields" }, fields.map(input)),
        el("p", { class: "form-error", role: "alert" }),
        el("p", { class: "buttons" },
          el("button", { class: "primary" }, "Save"),
          el("button", { type: "button", class: "quiet", click: stop }, "Cancel"),
          el("button", { type: "button", class: "quiet", title: "Sends a change of the same item, as another tab would", click: (e) => busy(e.target, () => meddle(row)) }, "Let another tab change it first")))));
    editing = { id: row.id, row, etag: answer.header("ETag"), node };
    draw();
    $("input", node).focus();
  }

  function stop() {
    const id = editing?.id;
    editing = null;
    draw();
    $(`tr[data-id="${id}"] button`, body)?.focus();
  }

  async function meddle(row) {
    const answer = await ask("PATCH", pathOf(row.id), { json: { description: "Changed by another tab at " + new Date().toLocaleTimeString("en-GB") } });
    if (!answer.ok) say(answer.says, true);
  }

  function save(event) {
    event.preventDefault();
    const mine = Object.fromEntries(fields.map((f) => [f, editing.node.querySelector(`[name=${f}]`).value]));
    return busy(event.submitter ?? event.target, () => put(mine));
  }

  async function put(mine) {
    const { id, etag, node } = editing;
    const answer = await ask("PUT", pathOf(id), { json: mine, headers: { "If-Match": etag } });
    if (answer.status === 412) return conflict(mine, etag);
    const form = $("form", node);
    if (!answer.ok && form.elements[fields[0]]) return faults(form, answer);
    if (!answer.ok) return say(answer.says, true);
    editing = null;
    fresh.add(id);
    say("Saved");
    await load();
    $(`tr[data-id="${id}"] button`, body)?.focus();
  }

  // conflict shows both versions and lets the user choose. Nothing is lost yet:
  // that is what If-Match is for.
  async function conflict(mine, old) {
    const answer = await ask("GET", pathOf(editing.id), { by: "page" });
    if (!answer.ok) {
      editing = null;
      say(answer.status === 404 ? "It has been deleted meanwhile" : answer.says, true);
      return load();
    }
    const theirs = rowsOf(answer.json)[0];
    const etag = answer.header("ETag");
    const version = (title, r, other, note, button) => el("section", {},
      el("h4", {}, title), el("p", { class: "soft" }, note),
      el("dl", {}, fields.map((f, i) => [el("dt", {}, titles[i]), el("dd", {}, r[f] === other[f] ? r[f] : el("mark", {}, r[f]))])),
      button);
    const keep = el("button", { type: "button", class: "primary", click: () => { stop(); load(); } }, "Keep the server’s");
    editing.node.replaceChildren(el("td", { colspan: fields.length + 2 },
      el("div", { class: "conflict", role: "group", "aria-label": "Conflict" },
        el("h3", {}, "412: somebody was faster"),
        el("p", {}, "You sent ", el("code", {}, "If-Match: " + clip(old)), ", the version you had read. The server has ", el("code", {}, clip(etag)), " by now, so it changed nothing. Which one shall stay?"),
        el("div", { class: "versions" },
          version("Yours", mine, theirs, "not saved", el("button", { type: "button", click: (e) => busy(e.target, () => { editing.etag = etag; return put(mine); }) }, "Save mine over it")),
          version("On the server", theirs, mine, "saved meanwhile", keep)))));
    keep.focus();
    say("Conflict: the item was changed since you read it", true);
  }

  const clip = (tag) => (tag.length > 12 ? tag.slice(0, 7) + "…\"" : tag);

  // --- filters and pages

  let typing;
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      pages = [null];
      load("you");
    }, 250);
  });
  $(".next", view).addEventListener("click", () => {
    pages.push(next);
    load("you");
  });
  $(".previous", view).addEventListener("click", () => {
    pages.pop();
    load("you");
  });

  let soon;
  return {
    load,
    reset() {
      editing = null;
      pages = [null];
      rows = [];
      draw();
    },
    // changed brings a row up to date that somebody, perhaps we, has changed.
    changed(what, row) {
      const at = rows.findIndex((r) => r.id === row.id);
      if (what === "changed" && at >= 0) {
        if (fields.every((f) => rows[at][f] === row[f])) return;
        rows[at] = row;
        fresh.add(row.id);
        draw();
      } else if (what === "created" && at < 0) {
        fresh.add(row.id);
        clearTimeout(soon);
        soon = setTimeout(load, 150);
      } else if (what === "deleted" && at >= 0) {
        clearTimeout(soon);
        soon = setTimeout(load, 150);
      }
    },
  };
}

// follow keeps the tables up to date, for as long as somebody is signed in and
// the token is good. It is the README's function of that name.
async function follow(tables) {
  let pause = 0, last = "", whose = null;
  for (;; await new Promise((done) => setTimeout(done, pause))) {
    pause = Math.min(30000, (pause || 1000) * 2);
    const session = current();
    live(false);
    if (whose !== session?.name) [whose, last] = [session?.name, ""];
    if (!session || expired()) {
      pause = 500; // it costs nothing to look
      continue;
    }
    const { response, note } = await stream("/api/v1/events", { Authorization: "Bearer " + session.access, ...(last && { "Last-Event-ID": last }) });
    if (response?.status === 410) last = ""; // away for too long
    if (!response?.ok) continue;
    live(true);
    pause = 0;
    if (!last) for (const t of Object.values(tables)) t.load(); // after the stream has begun, so nothing is missed
    try {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = "", part; current()?.name === whose && !(part = await reader.read()).done; ) {
        note(part.value);
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop(); // not whole yet
        for (const block of blocks) {
          const { id, event, data } = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/)));
          if (id) last = id;
          const [kind, what] = (event ?? "").split(".");
          if (kind === "creator") for (const t of Object.values(tables)) t.load();
          else if (data) tables[kind]?.changed(what, JSON.parse(data));
        }
      }
      reader.cancel();
    } catch { /* the server is away: try again */ }
  }
}

function live(on) {
  for (const node of document.querySelectorAll(".live")) {
    node.textContent = on ? "live" : "not live";
    node.classList.toggle("on", on);
  }
}

export function startRows() {
  const tables = { item: table("item"), book: table("book") };
  let whose;
  onSession((session) => {
    if (session?.name !== whose) for (const t of Object.values(tables)) t.reset();
    whose = session?.name;
  });
  follow(tables);
}
