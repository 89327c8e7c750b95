// What openapi.json says, made ready to read and to try. No page is needed here.

const methods = ["get", "post", "put", "patch", "delete"];

// follow returns what a reference leads to (RFC 6901), or the node itself.
export function follow(document, node, most = 8) {
  for (; node?.$ref && most > 0; most--) {
    const path = node.$ref.slice(2).split("/").map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
    node = path.reduce((at, name) => at?.[name], document);
  }
  return node ?? {};
}

// operationsOf lists what can be done, in the order of the tags.
export function operationsOf(document) {
  const tags = (document?.tags ?? []).map(({ name }) => name);
  const rank = ({ tag }) => (tags.indexOf(tag) + tags.length + 1) % (tags.length + 1); // unknown ones last
  return Object.entries(document?.paths ?? {}).flatMap(([path, item]) => methods.filter((method) => item[method]).map((method) => {
    const { operationId: id = `${method} ${path}`, tags: [tag = "other"] = [], summary = "", description = "", security = document.security ?? [], "x-handler": handler } = item[method];
    const parameters = [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((node) => follow(document, node));
    const responses = Object.entries(item[method].responses ?? {}).map(([status, node]) => ({ status, ...follow(document, node) }));
    const stream = responses.some(({ content }) => content?.["text/event-stream"]);
    return { id, method: method.toUpperCase(), path, tag, summary, description, handler, parameters, responses, stream, credential: credentialOf(document, security), body: bodyOf(document, item[method].requestBody) };
  })).sort((a, b) => rank(a) - rank(b));
}

// credentialOf tells in which header a token goes, or null where none is needed.
function credentialOf(document, security) {
  const name = security.flatMap(Object.keys)[0];
  const scheme = name && follow(document, document.components?.securitySchemes?.[name]);
  if (!scheme) return null;
  const optional = security.some((one) => Object.keys(one).length === 0);
  return scheme.type === "http" ? { header: "Authorization", before: "Bearer ", name, optional } : { header: scheme.name, before: "", name, optional };
}

// bodyOf is the content type of a body and an example of it, or null. The server gives
// a row its id and its owner, so an example that is to be sent has none.
function bodyOf(document, node) {
  const content = follow(document, node).content ?? {};
  const type = Object.keys(content).find((name) => name.endsWith("json"));
  if (!type) return null;
  const example = exampleOf(document, content[type]);
  if (example?.constructor !== Object) return { type, example };
  const { id, userId, ...rest } = example;
  return { type, example: rest };
}

// exampleOf is the example that a media type or a parameter has, or one that fits its
// schema.
export function exampleOf(document, { example, examples, schema } = {}) {
  if (example !== undefined) return example;
  const first = follow(document, Object.values(examples ?? {})[0]).value;
  return first !== undefined ? first : made(document, schema, 6);
}

const texts = {
  email: "ann@example.com", password: "b00k-worm", "date-time": "2026-11-22T14:05:00Z", date: "2026-11-22", uuid: "0b6f1f0e-5b1c-4f0e-9c55-2f1f6a1d2c3b", uri: "https://example.com/",
};

// made makes a value that fits a schema, from its examples where it has any.
function made(document, schema, depth) {
  const s = follow(document, schema);
  for (const value of [s.example, s.examples?.[0], s.const, s.default, s.enum?.[0]]) if (value !== undefined) return value;
  const [part] = s.oneOf ?? s.anyOf ?? [];
  if (part) return made(document, part, depth);
  if (s.allOf) return Object.assign({}, ...s.allOf.map((each) => made(document, each, depth)));
  const type = [s.type].flat().find((name) => name !== "null");
  if (type === "object" || s.properties) return depth === 0 ? {} : object(document, s, depth - 1);
  if (type === "array") return depth === 0 ? [] : [made(document, s.items, depth - 1)];
  if (type === "integer" || type === "number") return s.minimum ?? 1;
  if (type === "boolean") return false;
  return type === "string" || s.format ? texts[s.format] ?? "text" : null;
}

const object = (document, { properties = {} }, depth) => Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, made(document, schema, depth)]));

// addressOf fills the path and the query of an operation. Empty values are left out
// of the query.
export function addressOf({ path, parameters }, values) {
  const filled = path.replace(/\{([^{}]+)\}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  const query = new URLSearchParams(parameters.filter((p) => p.in === "query" && values[p.name]).map(({ name }) => [name, values[name]]));
  return query.size > 0 ? `${filled}?${query}` : filled;
}

// found reports whether an operation has all words of a search.
export const found = ({ method, path, summary, tag, id }, words) => {
  const text = `${method} ${path} ${summary} ${tag} ${id}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
};
