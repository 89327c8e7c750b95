// Every request of this page is sent and shown here.
import { $, button, copy, el, onClick, say, shortToken } from "./dom.js";
import { curl, masked } from "./curl.js";
import { split } from "./token.js";

const kept = 250; // most exchanges; a new one then replaces the oldest
const shown = 20000; // most characters of a body

const exchanges = [];
let opened = null; // the exchange that was opened automatically

// ahead is how far the server's clock is ahead of this machine's, in ms. It is
// computed from the Date of each response, to the second. With the lab's clock,
// clock.js sets it.
let ahead = 0, labClock = false;
export const serverNow = () => (Date.now() + ahead) / 1000; // in seconds since 1970
export function setClock(now) {
  labClock = true;
  ahead = now - Date.now();
}

// send sends a request and resolves to its response, or to one with status 0 if
// there was none. It never throws. by is the sender: "you", the "page", the
// "lab" preparing an attack, or the "attack". The body is json, or a text that is sent
// as it is. A quiet request is not shown.
export async function send(method, path, { headers = {}, json, text: raw, by = "you", open = by === "you", quiet = false } = {}) {
  const exchange = begin(method, path, headers, json === undefined ? raw : JSON.stringify(json), json !== undefined);
  if (!quiet) show(exchange, by, open);
  const response = await reach(exchange);
  if (response) exchange.text = await response.text().catch(() => "");
  else lost();
  draw(exchange);
  const { status, text } = exchange;
  const header = (name) => response?.headers.get(name) ?? "";
  let body = null;
  try {
    body = JSON.parse(text);
  } catch { /* plain text, or nothing */ }
  return {
    status, header, text, json: body, ok: status >= 200 && status < 300,
    says: body?.error ?? body?.message ?? (status ? text : "The server can’t be reached"), // in the form of either API
    why: /error_description="([^"]*)"/.exec(header("WWW-Authenticate"))?.[1] ?? "", // RFC 6750 §3
  };
}

// stream sends a request whose response doesn't end. It resolves to the
// response, if there is one, and a function that shows more of it.
export async function stream(path, headers, { by = "page", signal } = {}) {
  const exchange = begin("GET", path, headers);
  exchange.stream = true;
  show(exchange, by, false);
  const response = await reach(exchange, signal);
  draw(exchange);
  const more = (text) => {
    exchange.text = (exchange.text + text).slice(-4000);
    draw(exchange);
  };
  return { response, more };
}

// onLost has a function called when a request gets no answer.
let lost = () => {};
export const onLost = (listener) => (lost = listener);

function begin(method, path, headers, body, isJSON) {
  return {
    method, path, url: location.origin + path, status: 0, text: "", start: performance.now(),
    headers: isJSON ? { ...headers, "Content-Type": "application/json" } : headers,
    body: body ?? null,
  };
}

// show puts an exchange on top of the list.
function show(exchange, by, open) {
  exchange.by = by;
  exchange.details = el("details", { toggle: () => fill(exchange) }, el("summary"));
  exchange.row = el("li", { class: "by-" + by }, exchange.details);
  $("#exchanges").prepend(exchange.row);
  if (open) {
    if (opened) opened.open = false;
    opened = exchange.details;
    opened.open = true;
  }
  if (exchanges.push(exchange) > kept) exchanges.shift().row.remove();
  draw(exchange);
}

async function reach(exchange, signal) {
  const { Cookie, ...headers } = exchange.headers; // only the browser can send Cookie
  try {
    const response = await fetch(exchange.path, { method: exchange.method, headers, body: exchange.body, signal });
    exchange.ms = performance.now() - exchange.start;
    exchange.status = response.status;
    exchange.reason = response.statusText;
    exchange.answer = [...response.headers];
    const off = Date.parse(response.headers.get("Date")) + 500 - Date.now();
    if (!labClock && exchange.ms < 2000 && Math.abs(off - ahead) > 1500) ahead = off; // a slow answer tells little
    return response;
  } catch {
    exchange.failed = true;
  }
}

// learnHandlers reads from openapi.json which function handles a route. A test
// of the server compares openapi.json with the source. request is send, or a function like
// it. learnHandlers resolves to openapi.json.
let operations = [];
export async function learnHandlers(request) {
  const { json } = await request("GET", "/openapi.json", { by: "page" });
  operations = Object.entries(json?.paths ?? {}).flatMap(([path, item]) => Object.entries(item).flatMap(([method, { "x-handler": handler }]) => (
    handler ? { method: method.toUpperCase(), handler, path: new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`) } : []
  )));
  exchanges.forEach(draw);
  return json;
}

// draw updates the summary of an exchange.
function draw(exchange) {
  if (!exchange.row) return; // it is quiet
  const { method, path, by, status, failed, details, ms, stream } = exchange;
  const state = failed ? "bad" : status < 400 ? "good" : "refused";
  details.firstChild.replaceChildren(
    el("b", {}, method), " ", el("span", { class: "path" }, coloured(path)), " ", el("span", { class: "by" }, by === "you" ? "" : by), " ",
    el("b", { class: state }, failed ? "no answer" : status || "…"), " ", el("span", { class: "ms" }, stream && status === 200 ? "open" : ms && `${ms.toFixed(ms < 10 ? 1 : 0)} ms`));
  fill(exchange);
  $("#wire-count").textContent = exchanges.length;
  const last = exchanges.findLast((e) => e.by === "you" || e.by === "attack") ?? exchange;
  $("#wire-last").textContent = `${last.method} ${last.path.split("?")[0]} ${last.status || "…"}`;
}

// fill builds the details of an exchange, if they are visible.
function fill(exchange) {
  const { method, path, headers, body, answer, status, reason, text, details } = exchange;
  $(".inside", details)?.remove();
  if (!details.open) return;
  const handler = operations.find((o) => o.method === method && o.path.test(path.split("?")[0]))?.handler;
  const [file, name] = handler?.split(": ") ?? [];
  const stopped = answer?.some(([, value]) => value.includes('realm="shelf"')) && !path.endsWith("/signin");
  details.append(el("div", { class: "inside" },
    el("div", { class: "foot" },
      el("p", { class: "soft" }, handler && [stopped ? "Stopped before it reached " : "Answered by ", el("code", {}, name), " in ", el("code", {}, file)]),
      button("Copy as curl", () => copy(curl(exchange), "Copied, with the whole token in it: keep it to yourself"), { class: "quiet" })),
    message("You sent", [el("b", {}, method), " ", coloured(path)], Object.entries(headers), body && masked(body)),
    answer && message("shelf answered", [el("b", {}, status), " ", reason], answer, masked(text))));
}

// headers that are the same on every response
const usual = /^(access-control-|content-length|cross-origin|date|vary|x-content-type|x-request-id)/;

function message(title, first, headers, body) {
  const line = ([name, value]) => el("div", {}, el("i", {}, name.replace(/^www|^et|\b[a-z]/g, (c) => c.toUpperCase()) + ": "), /^x-lab-token/i.test(name) ? "••••••••" : coloured(value));
  const rest = headers.filter(([name]) => usual.test(name));
  return el("section", {},
    el("h3", {}, title),
    el("div", { class: "head" }, el("div", {}, first), headers.filter(([name]) => !usual.test(name)).map(line),
      rest.length > 0 && el("details", {}, el("summary", {}, `and ${rest.length} more headers`), rest.map(line))),
    body && el("pre", { tabindex: 0, role: "group", "aria-label": title + ": the body" }, coloured(body.slice(0, shown))));
}

// coloured shortens and colours the tokens in a text.
export const coloured = (text) => split(text).map((piece, i) => (i % 2 ? shortToken(piece) : piece));

export function startWire() {
  onClick("#wire-clear", () => {
    for (const { row } of exchanges.splice(0)) row.remove();
    $("#wire-count").textContent = 0;
    say("The list of requests is empty");
  });
  const toggle = (open) => {
    document.body.classList.toggle("wire-open", open);
    $("#wire-toggle").ariaExpanded = open;
    $(open ? "#wire-close" : "#wire-toggle").focus();
  };
  onClick("#wire-toggle", () => toggle(true));
  onClick("#wire-close", () => toggle(false));
  $("#wire").addEventListener("keydown", ({ key }) => key === "Escape" && document.body.classList.contains("wire-open") && toggle(false));
}
