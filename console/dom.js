// What every part of the page needs to build itself. Nothing here, or anywhere
// else, turns text into markup: names and descriptions come from strangers.

export const $ = (selector, within = document) => within.querySelector(selector);

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

// say tells what has happened, in the corner of the page and to screen readers.
export function say(text, bad = false) {
  const status = $("#status");
  status.textContent = text;
  status.className = bad ? "bad" : "";
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (status.textContent = ""), 8000);
}

// copy puts text on the clipboard. Where a page may not (http beyond loopback),
// it is selected the old way.
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(what);
}

// busy keeps a button from being pressed twice while work is under way.
export async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// outside is a link that leaves the page.
export const outside = (href, ...text) => el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...text);

// tokenText shows a token with its three parts told apart, by colour, by the
// line beneath and by name. With original, what differs from it is marked; short
// keeps only the two ends of each part.
export function tokenText(token, { original, short } = {}) {
  const before = original?.split(".");
  const parts = token.split(".");
  const box = el("span", { class: "token" });
  parts.forEach((part, i) => {
    if (i > 0) box.append(el("span", { class: "dot" }, "."));
    const name = ["header", "payload", "signature"][i] ?? "signature";
    const span = el("span", { class: "part " + name, title: name });
    const was = before?.[i] ?? (before ? "" : part);
    if (short) span.append(clip(part));
    else span.append(...marked(part, was));
    if (before && part === "" && was !== "") span.append(el("mark", { class: "gone", title: "taken away" }, "∅"));
    box.append(span);
  });
  return box;
}

const clip = (part) => (part.length > 12 ? part.slice(0, 6) + "…" + part.slice(-4) : part);

// marked is text with that stretch marked in which it differs from was. A long
// stretch that stays, or that was added, is cut in its middle.
function marked(text, was) {
  let start = 0, end = 0;
  while (start < text.length && start < was.length && text[start] === was[start]) start++;
  while (end < text.length - start && end < was.length - start && text.at(-1 - end) === was.at(-1 - end)) end++;
  const changed = text.slice(start, text.length - end);
  if (changed === "") return [text];
  const cut = changed.length > 700 ? changed.slice(0, 300) + ` … ${changed.length} characters … ` + changed.slice(-60) : changed;
  return [text.slice(0, start), el("mark", {}, cut), text.slice(text.length - end)];
}
