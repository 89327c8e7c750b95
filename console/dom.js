// What every part of the page builds itself with. Nothing here or elsewhere turns
// text into markup: names and descriptions come from strangers.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// el makes an element: el("a", { href: "#lab", class: "big" }, "Break it"). A
// function is a listener, true an attribute without a value, null none at all.
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

// button is a button that can't be pressed again while its work is under way.
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

// onClick and onSubmit give work to what stands in the page already.
export const onClick = (selector, work) => $$(selector).forEach((node) => node.addEventListener("click", () => busy(node, () => work(node))));
export const onSubmit = (form, work) => form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(event.submitter ?? form, () => work(event.submitter));
});

// say tells what has happened, in the corner of the page and to screen readers.
let silence;
export function say(text, bad = false) {
  const status = $("#status");
  status.textContent = text;
  status.className = bad ? "bad" : "";
  clearTimeout(silence);
  silence = setTimeout(() => (status.textContent = ""), bad ? 8000 : 4000);
}

// copy puts text on the clipboard, which browsers allow on loopback and by https.
export const copy = (text, what) => navigator.clipboard?.writeText(text).then(() => say(what)) ?? say("Copying takes https, or a server on this machine", true);

export const link = (href, text) => el("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);

const names = ["header", "payload", "signature"];
export const partName = (i) => el("span", { class: "part " + names[i] }, names[i]);
const parts = (token, show) => token.split(".").map((part, i) => [i > 0 && el("b", {}, "."), el("span", { class: names[i], title: names[i] }, show(part, i))]);

// shortToken shows a token by the two ends of each part.
export const shortToken = (token) => el("span", { class: "short" }, parts(token, (part) => (part.length > 12 ? part.slice(0, 6) + "…" + part.slice(-4) : part)));

// wholeToken shows all of a token, each part in its colour and after its name.
// Where it differs from another one, original, is marked.
export function wholeToken(token, label, original = token) {
  const before = original.split(".");
  return el("p", { class: "whole", tabindex: 0, role: "group", "aria-label": label }, parts(token, (part, i) => marked(part, before[i])));
}

// marked is text with that stretch marked in which it differs from what it was.
function marked(text, was = "") {
  if (text === was) return text;
  let start = 0, end = 0;
  while (start < text.length && text[start] === was[start]) start++;
  while (end < Math.min(text.length, was.length) - start && text.at(-1 - end) === was.at(-1 - end)) end++;
  let changed = text.slice(start, text.length - end);
  if (changed.length > 700) changed = `${changed.slice(0, 200)} … ${changed.length} characters in all … ${changed.slice(-40)}`;
  return [text.slice(0, start), el("mark", {}, changed || "∅"), text.slice(text.length - end)];
}
