// What the tables of collections show, without a page.

// collectionsOf lists the collections of openapi.json, and last the accounts.
export const collectionsOf = (document) => Object.entries(document?.paths ?? {}).flatMap(([address, { get }]) => {
  const name = get?.operationId === "readMembers" ? "users" : get?.tags?.[0].split("/")[1];
  return name && !address.includes("{") ? { name, address, single: !document.paths[address + "/{id}"], route: get.operationId } : [];
}).sort((a, b) => (a.name === "users") - (b.name === "users"));

// parse reads JSON. Numbers stay as they are written, where the browser can do that.
export const parse = (text) => JSON.parse(text, (_, value, at) => (typeof value === "number" && at && JSON.rawJSON ? JSON.rawJSON(at.source) : value));

// columnsOf lists the members of rows, the id first.
export const columnsOf = (rows) => [...new Set(["id", ...rows.flatMap(Object.keys)])].filter((name) => rows.some((row) => Object.hasOwn(row, name)));

// cellText is a text as it is, or JSON. What is long is cut.
export function cellText(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.length > 200 ? text.slice(0, 200) + "…" : text;
}

// kindOf says how a cell is set: an id and a number are never broken, and what is nested
// is code.
export function kindOf(name, value) {
  if (name === "id") return "id";
  if (typeof value === "number" || isRaw(value)) return "number";
  return typeof value === "object" && value !== null ? "json" : "";
}

const isRaw = (value) => Boolean(JSON.isRawJSON?.(value));

// isLong reports whether a text is cut.
export const isLong = (value) => typeof value === "string" && value.length > 200;

// pretty is all of a value.
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
