// Every request that the page makes goes through here, and is shown as it goes.
import { $, copy, el, say, tokenText } from "./dom.js";
import { curl, masked } from "./curl.js";
import { split } from "./token.js";

const kept = 250; // exchanges; the oldest goes for a new one
const shownBody = 20000; // characters

const exchanges = [];
let newest; // the exchange that was opened by itself

// skew is how far the server's clock is ahead of this machine's, in ms. The Date
// of each answer tells, to the second; the lab's clock is told by clock.js.
let skew = 0, bent = false;
export const serverNow = () => (Date.now() + skew) / 1000;
export function setClock(seconds) {
  bent = seconds != null;
  if (bent) skew = seconds * 1000 - Date.now();
}

// An answer is what came back; status 0 means that nothing did.
function answerOf(exchange) {
  const { status, text, answer } = exchange;
  let json = null;
  try {
    json = JSON.parse(text);
  } catch { /* plain text, or nothing */ }
  const header = (name) => answer?.find(([n]) => n === name.toLowerCase())?.[1] ?? "";
  const challenge = header("WWW-Authenticate");
  return {
    exchange, status, ok: status >= 200 && status < 300, json, header,
    // What the API says, in whichever of its three dialects.
    says: json?.error ?? json?.message ?? (status ? text : "The server can’t be reached"),
    why: /error_description="([^"]*)"/.exec(challenge)?.[1] ?? "",
  };
}

// send sends a request and resolves to its answer; it never throws. by says who
// wanted it: "you", the "page" itself, or the "lab".
export async function send(method, path, { headers = {}, json, by = "you" } = {}) {
  const exchange = begin(method, path, headers, json, by);
  const response = await reach(exchange);
  if (response) {
    exchange.text = await response.text().catch(() => "");
    end(exchange);
  }
  return answerOf(exchange);
}

// stream begins a request whose answer has no end, and resolves to the response,
// or to null if there is none. note adds to what is shown of the answer.
export async function stream(path, headers) {
  const exchange = begin("GET", path, headers, undefined, "page");
  exchange.stream = true;
  const response = await reach(exchange);
  if (response && !response.ok) exchange.text = await response.text().catch(() => "");
  end(exchange);
  const note = (text) => {
    exchange.text = (exchange.text + text).slice(-4000);
    draw(exchange);
  };
  return { response, note };
}

function begin(method, path, headers, json, by) {
  const sent = { ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  const exchange = {
    method, path, by, headers: sent, body: json === undefined ? null : JSON.stringify(json),
    url: location.origin + path, status: 0, text: "", start: performance.now(), ms: null, answer: null,
  };
  exchanges.push(exchange);
  exchange.number = (exchanges.last = (exchanges.last ?? 0) + 1);
  draw(exchange);
  if (exchanges.length > kept) exchanges.shift().row.remove();
  return exchange;
}

async function reach(exchange) {
  const { Cookie, ...headers } = exchange.headers; // the browser’s to send
  try {
    const response = await fetch(exchange.path, { method: exchange.method, headers, body: exchange.body, referrerPolicy: "no-referrer" });
    exchange.ms = performance.now() - exchange.start;
    exchange.status = response.status;
    exchange.reason = response.statusText;
    exchange.answer = [...response.headers];
    const date = Date.parse(response.headers.get("Date"));
    if (date && !bent) {
      const seen = date + 500 - Date.now();
      if (Math.abs(seen - skew) > 1500) skew = seen;
    }
    return response;
  } catch {
    exchange.failed = true;
    end(exchange);
    return null;
  }
}

function end(exchange) {
  exchange.ms ??= performance.now() - exchange.start;
  draw(exchange);
}

// Which function answers a route is told by openapi.json, and a test of the
// server’s holds that against the route table.
let templates = [];
export async function learnHandlers() {
  const { json } = await send("GET", "/openapi.json", { by: "page" });
  for (const [path, item] of Object.entries(json?.paths ?? {})) {
    const pattern = new RegExp("^" + path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\w+\}/g, "[^/]+") + "$");
    for (const [method, operation] of Object.entries(item)) {
      if (operation["x-handler"]) templates.push({ method: method.toUpperCase(), pattern, fixed: !path.includes("{"), handler: operation["x-handler"] });
    }
  }
  templates.sort((a, b) => b.fixed - a.fixed);
  exchanges.forEach(draw);
}

const handlerOf = ({ method, path }) => templates.find((t) => t.method === method && t.pattern.test(path.split("?")[0]))?.handler;

// draw shows an exchange, or what is new about it.
function draw(exchange) {
  const { row = el("li", {}, el("details")) } = exchange;
  const details = row.firstChild;
  const state = exchange.failed ? "bad" : exchange.status === 0 ? "wait" : exchange.status < 400 ? "good" : "refused";
  const summary = el("summary", {},
    el("span", { class: "method " + exchange.method.toLowerCase() }, exchange.method), " ",
    el("span", { class: "path" }, ...split(exchange.path).map((text, i) => (i % 2 ? tokenText(text, { short: true }) : text))), " ",
    exchange.by !== "you" && el("span", { class: "by" }, exchange.by), " ",
    el("span", { class: "status " + state }, exchange.failed ? "no answer" : exchange.status || "…"), " ",
    el("span", { class: "ms" }, exchange.ms == null ? "" : exchange.stream && exchange.status === 200 ? "open" : `${exchange.ms < 10 ? exchange.ms.toFixed(1) : Math.round(exchange.ms)} ms`),
  );
  if (exchange.row) {
    details.firstChild.replaceWith(summary);
  } else {
    exchange.row = row;
    row.className = "by-" + exchange.by;
    details.append(summary);
    details.addEventListener("toggle", () => fill(exchange));
    $("#exchanges").prepend(row);
    if (exchange.by === "you") {
      if (newest) newest.open = false;
      newest = details;
      details.open = true;
    }
  }
  fill(exchange);
  $("#wire-count").textContent = exchanges.length;
  const last = exchanges.findLast((e) => e.by !== "page") ?? exchange;
  $("#wire-last").textContent = `${last.method} ${last.path.split("?")[0]} ${last.status || "…"}`;
}

// fill builds what is inside an exchange, while that can be seen.
function fill(exchange) {
  const details = exchange.row.firstChild;
  details.querySelector(".inside")?.remove();
  if (!details.open) return;
  const handler = handlerOf(exchange);
  const [file, name] = handler?.split(": ") ?? [];
  details.append(el("div", { class: "inside" },
    block("You sent", [
      el("div", { class: "line" }, el("b", {}, exchange.method), " ", ...coloured(exchange.path), " HTTP/1.1"),
      ...Object.entries(exchange.headers).map(headerLine),
    ], exchange.body && masked(exchange.body)),
    exchange.answer && block("shelf answered", [
      el("div", { class: "line" }, "HTTP/1.1 ", el("b", {}, exchange.status), " " + exchange.reason),
      ...exchange.answer.map(headerLine),
    ], pretty(exchange.text)),
    el("div", { class: "foot" },
      handler && el("p", { class: "handler" }, "Answered by ", el("code", {}, name), " in ", el("code", {}, file)),
      el("button", { type: "button", class: "quiet", click: () => copy(curl(exchange), "Copied as curl. It holds the whole token: keep it to yourself.") }, "Copy as curl")),
  ));
}

function block(title, lines, body) {
  return el("section", { class: title === "You sent" ? "sent" : "came" },
    el("h3", {}, title),
    el("div", { class: "head" }, lines),
    body && el("pre", { tabindex: 0, role: "group", "aria-label": title + ", body" }, coloured(body.length > shownBody ? body.slice(0, shownBody) + "\n…" : body)));
}

const headerLine = ([name, value]) => el("div", { class: "line" }, el("span", { class: "name" }, name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase()) + ":"), " ", ...(name === "X-Lab-Token" ? ["••••••••"] : coloured(value)));

// coloured shows the tokens in a text short, and in their colours.
const coloured = (text) => split(text).map((piece, i) => (i % 2 ? tokenText(piece, { short: true }) : piece));

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function startWire() {
  $("#wire-clear").addEventListener("click", () => {
    for (const { row } of exchanges.splice(0)) row.remove();
    newest = null;
    $("#wire-count").textContent = 0;
    say("The list of requests is empty");
  });
  const toggle = $("#wire-toggle");
  const show = (open) => {
    document.body.classList.toggle("wire-open", open);
    toggle.setAttribute("aria-expanded", open);
  };
  toggle.addEventListener("click", () => show(!document.body.classList.contains("wire-open")));
  $("#wire-close").addEventListener("click", () => {
    show(false);
    toggle.focus();
  });
  $("#wire").addEventListener("keydown", (event) => event.key === "Escape" && matchMedia("(max-width: 999px)").matches && (show(false), toggle.focus()));
}
