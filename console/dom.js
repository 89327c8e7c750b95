// Helpers for all parts of the page. No part of the page turns text into
// markup, because names and descriptions come from strangers.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// el creates an element: el("a", { href: "#lab", class: "big" }, "Break it").
// An attribute may be a function (a listener), true (no value) or null (left
// out).
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

// button creates a button that ignores clicks while its work is running.
export const button = (text, work, attributes = {}) =>
  el("button", { type: "button", click: (event) => busy(event.currentTarget, work), ...attributes }, text);

export async function busy(node, work) {
  if (node.ariaBusy === "true") return;
  node.ariaBusy = "true";
  try {
    return await work();
  } finally {
    node.ariaBusy = null;
  }
}

// onClick and onSubmit add handlers to existing elements.
export const onClick = (selector, work) => $$(selector).forEach((node) => node.addEventListener("click", () => busy(node, () => work(node))));
export const onSubmit = (form, work) => form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(event.submitter ?? form, () => work(event.submitter));
});

// say shows a message in the corner of the page, and to screen readers.
let silence;
export function say(text, bad = false) {
  const status = $("#status");
  status.textContent = text;
  status.className = bad ? "bad" : "";
  clearTimeout(silence);
  silence = setTimeout(() => (status.textContent = ""), bad ? 8000 : 4000);
}

// copy copies text to the clipboard. Browsers allow that on loopback and with
// https.
export const copy = (text, what) => navigator.clipboard?.writeText(text).then(() => say(what)) ?? say("Copying takes https, or a server on this machine", true);

export const link = (href, text) => el("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);

const names = ["header", "payload", "signature"];
export const partName = (i) => el("span", { class: "part " + names[i] }, names[i]);
const parts = (token, show) => token.split(".").map((part, i) => [i > 0 && el("b", {}, "."), el("span", { class: names[i], title: names[i] }, show(part, i))]);

// shortToken shows the first and last letters of each part of a token.
export const shortToken = (token) => el("span", { class: "short" }, parts(token, (part) => (part.length > 12 ? part.slice(0, 6) + "…" + part.slice(-4) : part)));

// wholeToken shows all of a token, with a colour and a name for each part. It
// marks the differences from the token original.
export function wholeToken(token, label, original = token) {
  const before = original.split(".");
  return el("p", { class: "whole", tabindex: 0, role: "group", "aria-label": label }, parts(token, (part, i) => marked(part, before[i])));
}

// marked returns text, with the part marked that differs from was.
function marked(text, was = "") {
  if (text === was) return text;
  let start = 0, end = 0;
  while (start < text.length && text[start] === was[start]) start++;
  while (end < Math.min(text.length, was.length) - start && text.at(-1 - end) === was.at(-1 - end)) end++;
  let changed = text.slice(start, text.length - end);
  if (changed.length > 700) changed = `${changed.slice(0, 200)} … ${changed.length} characters in all … ${changed.slice(-40)}`;
  return [text.slice(0, start), el("mark", {}, changed || "∅"), text.slice(text.length - end)];
}
