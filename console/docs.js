// The part Docs: each operation of openapi.json, to read and to try.
import { $, $$, button, copy, el, onSubmit, shortToken } from "./dom.js";
import { coloured, send, stream } from "./wire.js";
import { current, onRefusal, onSession, refused } from "./session.js";
import { labSecret } from "./clock.js";
import { addressOf, exampleOf, found, operationsOf } from "./operations.js";
import { snippets } from "./snippets.js";
import { masked } from "./curl.js";

let description = {};
let routes = []; // { operation, node, form }

const paragraphs = (text) => text.split(/\n{2,}/).map((each) => el("p", {}, marked(each)));

// marked shows `code` and *words* of a description.
const marked = (text) => text.split(/(`[^`]+`|\*[^*\s][^*]*\*)/).map((piece, i) => (i % 2 === 0 ? piece : el(piece[0] === "`" ? "code" : "em", {}, piece.slice(1, -1))));

// --- what stands in the form of an operation

// tokens are what can go into the header of an operation.
function tokensFor({ credential, id }) {
  const session = current();
  if (!credential) return [];
  if (credential.name === "labToken") return [["the lab’s secret", labSecret() ?? ""]];
  const all = [["access token", session?.access], ["refresh token", session?.refresh]].filter(([, token]) => token);
  return id === "refresh" ? all.reverse() : all;
}

function field(operation, p) {
  const schema = p.schema ?? {};
  const words = schema.enum ?? [];
  const value = p.required ? exampleOf(description, p) : "";
  const attributes = { name: p.name, "aria-label": p.name, autocomplete: "off", spellcheck: "false", required: p.required };
  const hint = p.required ? null : schema.default ?? null;
  const input = words.length > 0
    ? el("select", attributes, !p.required && el("option", { value: "" }, ""), words.map((word) => el("option", { selected: word === value }, word)))
    : el("input", { ...attributes, value: typeof value === "object" ? JSON.stringify(value) : value, placeholder: hint });
  return el("div", { class: "parameter" },
    el("label", {}, el("code", {}, p.name), " ", el("span", { class: "soft" }, p.in, p.required ? ", required" : ""), input),
    p.description && el("p", { class: "soft" }, marked(p.description)));
}

// requestOf is what a form says: { method, path, url, headers, body }.
function requestOf({ operation, form }, token = form.elements.token?.value) {
  const { credential, body, method, parameters } = operation;
  const values = Object.fromEntries(parameters.map(({ name }) => [name, form.elements.namedItem(name)?.value ?? ""]));
  const headers = {};
  if (credential && token) headers[credential.header] = credential.before + token;
  for (const { name, in: where } of parameters) if (where === "header" && values[name]) headers[name] = values[name];
  const text = form.elements.body?.value.trim();
  if (text) headers["Content-Type"] = body.type;
  const path = addressOf(operation, values);
  return { method, path, url: location.origin + path, headers, body: text || null };
}

// fillTokens sets which tokens can be chosen, and keeps the choice.
function fillTokens({ operation, form }) {
  const { token } = form.elements;
  if (!token) return;
  const was = token.selectedOptions[0]?.textContent;
  const all = [...tokensFor(operation), ["none", ""]];
  token.replaceChildren(...all.map(([text, value]) => el("option", { value }, text)));
  const at = all.findIndex(([text]) => text === was && text !== "none");
  token.selectedIndex = Math.max(0, at);
}

// --- one operation

function build(route) {
  const { operation, node } = route;
  const { credential, parameters, body, responses, stream: streams, description: text, handler } = operation;
  const [often, rest] = split(parameters);
  const answer = el("div", { class: "answer-box" }, el("p", { class: "verdict", role: "status" }), el("div"));
  const code = el("pre", { class: "snippet", tabindex: 0, role: "group", "aria-label": "Snippet" });
  route.form = el("form", { class: "try", novalidate: true, "aria-label": operation.summary },
    often.length > 0 && el("div", { class: "fields" }, often.map((p) => field(operation, p))),
    body && el("label", {}, "Body ", el("span", { class: "soft" }, body.type), el("textarea", { name: "body", rows: lines(body.example), spellcheck: "false" }, JSON.stringify(body.example, null, 2))),
    el("div", { class: "buttons" },
      el("button", { class: "primary" }, streams ? "Listen" : "Send"),
      credential && el("label", { class: "inline" }, "with ", el("select", { name: "token", "aria-label": "Token" })),
      credential && !credential.optional && el("span", { class: "when-out soft" }, "It needs a token: use a demo account above.")),
    rest.length > 0 && el("details", {}, el("summary", {}, `${rest.length} more parameters`), el("div", { class: "fields" }, rest.map((p) => field(operation, p)))));
  fillTokens(route);
  route.snippet = () => showSnippet(route, code);
  route.form.addEventListener("input", route.snippet);
  onSubmit(route.form, () => attempt(route, answer));
  node.append(el("div", { class: "operation" },
    text && el("div", { class: "prose" }, paragraphs(text)), route.form, answer,
    el("div", { class: "code" }, code, button("Copy", () => copySnippet(route), { class: "quiet", "aria-label": "Copy the snippet" })),
    el("details", { toggle: ({ target }) => target.open && target.children.length === 1 && target.append(answers(responses)) },
      el("summary", {}, "What it can answer: ", responses.map(({ status }) => status).join(", "))),
    handler && el("p", { class: "soft" }, "Answered by ", el("code", {}, handler.split(": ")[1]), " in ", el("code", {}, handler.split(": ")[0]))));
  route.snippet();
}

// split returns the parameters that a form shows at once, and the others: headers, and
// what is optional behind the first few.
function split(parameters) {
  let room = 6;
  const often = parameters.filter((p) => p.required || p.in !== "header" && room-- > 0);
  return [often, parameters.filter((p) => !often.includes(p))];
}

const lines = (value) => Math.min(16, Math.max(3, JSON.stringify(value, null, 2).split("\n").length));

// answers lists the responses, each with an example of its body.
const answers = (responses) => el("dl", { class: "answers" }, responses.map(({ status, description: says = "", content = {} }) => {
  const [type, media] = Object.entries(content)[0] ?? [];
  const example = type?.includes("json") && exampleOf(description, media);
  return [el("dt", {}, el("b", { class: status < 400 ? "good" : "refusedText" }, status), " ", marked(says)),
    el("dd", {}, example ? el("pre", { tabindex: 0, role: "group", "aria-label": `An answer ${status}` }, JSON.stringify(example, null, 2)) : type && el("code", {}, type))];
}));

// --- a try

async function attempt(route, box) {
  const { method, path, headers, body } = requestOf(route);
  if (route.operation.stream) return listen(path, headers, box);
  const start = performance.now();
  const answer = await send(method, path, { headers, text: body ?? undefined });
  drawAnswer(box, answer, performance.now() - start);
}

const telling = ["Content-Type", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Total-Count"];

// verdict says what came of a try, to screen readers as well.
function verdict(box, good, ...words) {
  box.firstChild.className = "verdict " + (good ? "good" : "bad");
  box.firstChild.replaceChildren(...words);
}

function drawAnswer(box, { status, ok, text, says, header }, ms) {
  const kind = header("Content-Type");
  const shown = kind.includes("html") || text.length > 60000 ? text.slice(0, 60000) : masked(text);
  const headers = telling.filter(header);
  verdict(box, ok, el("b", {}, status || "No answer"), " ", status ? "" : says, el("span", { class: "soft" }, ` ${ms.toFixed(0)} ms`));
  box.lastChild.replaceChildren(...[
    headers.length > 0 && el("div", { class: "head" }, headers.map((name) => el("div", {}, el("i", {}, name + ": "), coloured(header(name))))),
    text && el("pre", { tabindex: 0, role: "group", "aria-label": "The answer’s body" }, coloured(shown))].filter(Boolean));
}

// listen shows a stream until it is stopped.
async function listen(path, headers, box) {
  const off = new AbortController();
  const heard = el("pre", { tabindex: 0, role: "group", "aria-label": "What was heard" }, "Listening. Add or change a row to hear of it.\n");
  const { response, more } = await stream(path, headers, { by: "you", signal: off.signal });
  if (!response?.ok) {
    const text = (await response?.text()) ?? "";
    return drawAnswer(box, { status: response?.status ?? 0, ok: false, text, says: "The server can’t be reached", header: (name) => response?.headers.get(name) ?? "" }, 0);
  }
  const stop = button("Stop", () => off.abort(), { class: "quiet" });
  verdict(box, true, el("b", {}, response.status), " the stream is open ", stop);
  box.lastChild.replaceChildren(heard);
  pump(response, off.signal, (text) => {
    more(text);
    heard.textContent = (heard.textContent + text).slice(-8000);
  }).finally(() => stop.replaceWith("and has ended"));
}

async function pump(response, signal, each) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
  try {
    for (let part; !(part = await reader.read()).done && !signal.aborted; ) each(part.value);
  } catch { /* it was stopped, or the server is away */ }
}

// --- snippets

const placeholder = "YOUR_TOKEN";
const language = () => $("#docs-find").elements.language.value;
const snippetOf = (route) => {
  const { token } = route.form.elements;
  const left = token && !token.value && token.selectedOptions[0]?.textContent === "none" && !current() && !route.operation.credential.optional;
  return snippets[language()](requestOf(route, left ? placeholder : undefined));
};

const showSnippet = (route, code) => code.replaceChildren(...[coloured(snippetOf(route))].flat());

function copySnippet(route) {
  const text = snippetOf(route);
  return copy(text, text.includes("eyJ") ? "Copied, with the whole token in it: keep it to yourself" : "Snippet copied");
}

// --- all of them

function routeOf(operation) {
  const { method, path, summary, id, credential } = operation;
  const route = { operation };
  route.node = el("details", { class: "route", id: "docs/" + id, toggle: () => route.node.open && !route.form && build(route) },
    el("summary", {}, el("b", { class: "method " + method.toLowerCase() }, method), el("code", { class: "address" }, path), el("span", { class: "soft" }, summary), credential && !credential.optional && el("span", { class: "tag" }, credential.name === "labToken" ? "lab" : "token")));
  return route;
}

function find(words) {
  for (const { operation, node } of routes) node.hidden = !found(operation, words);
  for (const group of $$("#routes > section")) group.hidden = !$(".route:not([hidden])", group);
  const n = routes.filter(({ node }) => !node.hidden).length;
  $("#docs-count").textContent = words.trim() ? `${n} of ${routes.length} routes` : `${routes.length} routes`;
}

// openRoute shows the operation that an address such as #docs/listItems names.
export function openRoute(id) {
  const route = routes.find(({ operation }) => operation.id === id);
  if (!route) return false;
  $("#docs-find").elements.find.value = "";
  find("");
  route.node.open = true;
  route.node.scrollIntoView();
  return true;
}

// tokenLine says with whose token the routes are tried.
function tokenLine() {
  const session = current();
  $("#docs-token").replaceChildren(...(session ? ["They are tried with the token of ", el("b", {}, session.name), " ", shortToken(session.access), refused() && " (refused)"] : ["Most need a token. One click makes an account, and fills its token in."]).filter(Boolean));
}

export function startDocs() {
  const { find: words, language: select } = $("#docs-find").elements;
  select.append(...Object.keys(snippets).map((name) => el("option", {}, name)));
  words.addEventListener("input", () => find(words.value));
  select.addEventListener("change", () => routes.forEach(({ snippet }) => snippet?.()));
  $("#docs-find").addEventListener("submit", (event) => event.preventDefault());
  const refill = () => {
    tokenLine();
    for (const route of routes.filter(({ form }) => form)) {
      fillTokens(route);
      route.snippet();
    }
  };
  onSession(refill);
  onRefusal(tokenLine);
  tokenLine();
}

// describeRoutes fills the part by openapi.json.
export function describeRoutes(openapi) {
  if (routes.some(({ node }) => node.open)) return; // one is being tried
  description = openapi ?? {};
  routes = operationsOf(openapi).map(routeOf);
  const said = new Map((openapi?.tags ?? []).map(({ name, description: text }) => [name, text]));
  const rank = (tag) => (tag.startsWith("/") ? 0 : tag === "accounts" || tag === "collections" ? 1 : 2); // one's own data first
  const tags = [...new Set(routes.map(({ operation }) => operation.tag))].sort((a, b) => rank(a) - rank(b));
  $("#routes").replaceChildren(...tags.map((tag) => el("section", { class: "card", "aria-label": tag },
    el("header", {}, el("h2", {}, tag), el("p", { class: "soft" }, marked(said.get(tag) ?? ""))),
    routes.filter(({ operation }) => operation.tag === tag).map(({ node }) => node))));
  find("");
}
