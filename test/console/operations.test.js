// What the part Docs makes of openapi.json.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { addressOf, exampleOf, follow, found, operationsOf } from "../../console/operations.js";

const description = JSON.parse(await readFile(new URL("../../openapi/openapi.json", import.meta.url), "utf8"));
const operations = operationsOf(description);
const named = (id) => operations.find((operation) => operation.id === id);

test("every operation is there once, and all of a tag are together", () => {
  const all = Object.values(description.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId)).filter(Boolean);
  assert.deepEqual(operations.map(({ id }) => id).sort(), all.sort());
  const tags = operations.map(({ tag }) => tag).filter((tag, i, list) => tag !== list[i - 1]);
  assert.equal(tags.length, new Set(tags).size);
});

test("what a body should have is shown by an example", () => {
  for (const { id, body } of operations) if (body) assert.equal(typeof body.example, "object", id);
  assert.deepEqual(Object.keys(named("createItem").body.example), ["itemname", "category", "description"]);
  assert.equal(named("listItems").body, null);
});

test("an operation says in which header its token goes", () => {
  assert.deepEqual(named("listItems").credential, { header: "Authorization", before: "Bearer ", name: "bearer", optional: false });
  assert.equal(named("listBooks").credential.header, "x-access-token");
  assert.equal(named("labReset").credential.header, "X-Lab-Token");
  assert.equal(named("signUp").credential, null);
});

test("a stream is known as one", () => {
  assert.deepEqual(operations.filter(({ stream }) => stream).map(({ id }) => id), ["streamEvents"]);
});

test("an address takes what its path and query are given, and no more", () => {
  const operation = { path: "/a/{id}/{x}", parameters: [{ name: "id", in: "path" }, { name: "q", in: "query" }, { name: "sort", in: "query" }, { name: "If-Match", in: "header" }] };
  assert.equal(addressOf(operation, { id: "a/b", x: "1", q: "a b&c", sort: "", "If-Match": "*" }), "/a/a%2Fb/1?q=a+b%26c");
  assert.equal(addressOf({ path: "/odd%20%7Bname%7D", parameters: [] }, {}), "/odd%20%7Bname%7D");
});

test("an example fits its schema where none is given", () => {
  const schemas = { Row: { type: "object", properties: { id: { type: ["integer", "string"] }, next: { $ref: "#/components/schemas/Row" }, mail: { type: "string", format: "email" }, on: { type: "boolean" }, tags: { type: "array", items: { enum: ["a"] } } } } };
  const example = exampleOf({ components: { schemas } }, { schema: { $ref: "#/components/schemas/Row" } });
  assert.deepEqual({ ...example, next: null }, { id: 1, next: null, mail: "ann@example.com", on: false, tags: ["a"] });
  assert.equal(exampleOf({}, { example: 5, schema: { type: "string" } }), 5);
  assert.equal(exampleOf({}, { examples: { one: { value: "x" } } }), "x");
  assert.equal(exampleOf({}, {}), null);
});

test("a reference is followed, and one that leads to itself ends", () => {
  assert.deepEqual(follow({ a: { "b/c": { d: 1 } } }, { $ref: "#/a/b~1c" }), { d: 1 });
  const circle = {};
  circle.a = { $ref: "#/a" };
  assert.equal(typeof follow(circle, circle.a), "object");
  assert.deepEqual(follow({}, { $ref: "#/none" }), {});
});

test("a search finds all of its words, anywhere", () => {
  const operation = { method: "POST", path: "/api/v1/items", summary: "Make an item", tag: "items", id: "createItem" };
  for (const words of ["", "post items", "ITEM make", "createitem"]) assert(found(operation, words), words);
  assert(!found(operation, "post books"));
});
