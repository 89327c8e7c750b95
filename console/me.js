// The part Account: one's own account and, for admins, all of them.
import { $, busy, button, copy, el, onSubmit, say } from "./dom.js";
import { ask, current, onSession, setSession } from "./session.js";

let me = null;

const input = (name, label, attributes = {}) => el("label", {}, label, el("input", { name, autocomplete: "off", spellcheck: "false", ...attributes }));
const secret = (name, label, autocomplete) => input(name, label, { type: "password", autocomplete });
const fault = () => el("p", { class: "form-error", role: "alert" });

// card is a form of this part. work returns an answer, which is shown if it is an error.
function card(title, words, fields, action, work, look = "primary") {
  const form = el("form", { class: "card", novalidate: true, "aria-label": title }, el("h2", {}, title), words && el("p", { class: "soft" }, words), fields, fault(), el("p", { class: "buttons" }, el("button", { class: look }, action)));
  onSubmit(form, async () => {
    const answer = await work(Object.fromEntries(new FormData(form)), form);
    if (answer) $(".form-error", form).textContent = answer.ok ? "" : answer.says;
  });
  return form;
}

async function load() {
  const answer = await ask("GET", "/api/v1/auth/me", { by: "page" });
  if (!answer.ok) return;
  const [read] = answer.json.data;
  const same = JSON.stringify(read) === JSON.stringify(me);
  me = read;
  if (!same) draw(); // which empties the forms
  $("#people").hidden = !me.admin;
  if (me.admin) await list();
}

function draw() {
  const session = current(), name = el("code", {}, session.name);
  const facts = { Id: me.id, "E-mail": me.email || "none: a book account", Username: me.username, Admin: me.admin ? "yes" : "no", "Member since": me.createdon };
  $("#me").replaceChildren(
    el("section", { class: "card", "aria-label": "You" }, el("h2", {}, "You"),
      el("dl", { class: "facts" }, Object.entries(facts).map(([term, value]) => [el("dt", { class: "soft" }, term), el("dd", {}, value)])),
      session.password && el("p", { class: "buttons" }, el("span", { class: "soft" }, "A demo account, with a password of its own."), button("Copy the password", () => copy(current().password, "Password copied"), { class: "quiet" })),
      !me.admin && el("p", { class: "soft" }, "An admin sees all accounts here. ", el("code", {}, `shelf user admin ${session.name}`), " makes ", name, " one, on the machine of a server with a data file.")),
    card("Names", null, el("div", { class: "fields" },
      input("username", "Your username", { value: me.username }), input("firstname", "First name", { value: me.firstname }), input("lastname", "Last name", { value: me.lastname }),
      session.kind === "book" && secret("current_password", "Password, for a new username", "current-password")), "Change the names", rename),
    card("A new password", "All other sign-ins of yours end.", el("div", { class: "fields" }, secret("current_password", "Current password", "current-password"), secret("new_password", "New password", "new-password")), "Change the password", changePassword),
    card("Delete this account", "Your account and its tokens go. What you have made stays, without a creator.", secret("password", "Your password, to be sure", "current-password"), "Delete my account", leave, "danger"));
}

async function rename({ current_password: password, ...names }) {
  const answer = await ask("PATCH", "/api/v1/auth/me", { json: { ...names, ...(password && { current_password: password }) } });
  if (!answer.ok) return answer;
  say("Your names are changed");
  if (current().kind === "book") setSession({ ...current(), name: names.username });
  await load();
}

async function changePassword(json, form) {
  const answer = await ask("POST", "/api/v1/auth/password", { json });
  if (answer.ok) {
    form.reset();
    if (current().password) setSession({ ...current(), password: json.new_password });
    say(answer.says || "The password is changed");
  }
  return answer;
}

async function leave(json) {
  const answer = await ask("DELETE", "/api/v1/auth/me", { json });
  if (!answer.ok) return answer;
  setSession(null);
  say("Your account is deleted");
  location.hash = "#start";
}

// --- all accounts

let after = [0], size = 25; // ids before this page and the ones before it

async function list(by = "page") {
  const answer = await ask("GET", `/api/v1/users?limit=${size}&after=${after.at(-1)}`, { by });
  if (!answer.ok) return $("#people-list").replaceChildren(el("p", { class: "form-error" }, answer.says));
  const people = answer.json.data, more = answer.header("Link").includes('rel="next"');
  const step = (text, change, off) => button(text, () => (change(), list("you")), { class: "quiet", disabled: off, "aria-label": text + " accounts" });
  const sizes = el("select", { "aria-label": "Accounts a page", change: ({ target }) => ([size, after] = [Number(target.value), [0]], list("you")) }, [10, 25, 100, 1000].map((n) => el("option", { selected: n === size }, n)));
  $("#people-list").replaceChildren(
    el("table", { class: "rows", "aria-label": "All accounts" },
      el("thead", {}, el("tr", {}, ["Id", "Name", "E-mail", "Since", "Rights"].map((title) => el("th", { scope: "col" }, title)), el("td"))),
      el("tbody", {}, people.map(person))),
    el("p", { class: "buttons soft" }, step("Earlier", () => after.pop(), after.length === 1), step("Later", () => after.push(people.at(-1).id), !more), el("label", { class: "inline" }, "A page has ", sizes)));
}

function person(user) {
  const box = (name) => el("label", { class: "check" }, el("input", { type: "checkbox", checked: user[name], "aria-label": `${user.username} is ${name}`, change: ({ target }) => busy(target, () => patch(user, { [name]: target.checked })) }), " ", name);
  return el("tr", { "data-account": user.id },
    el("td", { "data-label": "Id", class: "id" }, user.id), el("td", { "data-label": "Name" }, el("b", {}, user.username), user.id === me.id && el("span", { class: "tag" }, "you")), el("td", { "data-label": "E-mail" }, user.email || "–"),
    el("td", { "data-label": "Since" }, user.createdon.replace(/^\w+, /, "").replace(/ \d\d:.*/, "")), el("td", { "data-label": "Rights" }, box("admin"), " ", box("disabled")),
    el("td", { class: "acts" }, user.id !== me.id && sure("Delete", user.username, () => remove(user))));
}

// sure is a button that wants a second press.
function sure(text, name, work) {
  const node = button(text, () => {
    if (node.dataset.sure) return work();
    node.dataset.sure = "?";
    [node.textContent, node.ariaLabel] = ["Really?", `Really? ${text} ${name}`];
  }, { class: "quiet danger", "aria-label": `${text} ${name}`, blur: () => {
    delete node.dataset.sure;
    [node.textContent, node.ariaLabel] = [text, `${text} ${name}`];
  } });
  return node;
}

async function patch(user, json) {
  const answer = await ask("PATCH", "/api/v1/users/" + user.id, { json });
  say(answer.ok ? `Changed: ${user.username}` : answer.says, !answer.ok);
  await load();
}

async function remove(user) {
  const answer = await ask("DELETE", "/api/v1/users/" + user.id);
  say(answer.ok ? `Deleted: ${user.username}` : answer.says, !answer.ok);
  await list();
}

export function showAccount(view) {
  if (view === "account" && current()) return load();
}

export function startMe() {
  onSession((session) => {
    if (session && me && session.name === (me.email || me.username)) return;
    me = null;
    after = [0];
    $("#me").replaceChildren();
    $("#people-list").replaceChildren();
    $("#people").hidden = true;
    showAccount(document.body.dataset.view);
  });
}
