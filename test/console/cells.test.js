// What the tables of collections show.
import assert from "node:assert/strict";
import test from "node:test";
import { cellText, collectionsOf, columnsOf, isLong, kindOf, parse, pretty } from "../../console/cells.js";

test("the collections are those that openapi.json has tags for, and the accounts", () => {
  const get = (tag, operationId = "x") => ({ get: { operationId, tags: [tag] } });
  const paths = {
    "/api/v1/items": get("items"), "/users": get("accounts", "readMembers"), "/users/{id}": get("accounts"), "/register": { post: {} },
    "/data/posts": get("/posts"), "/data/posts/{id}": get("/posts"), "/data/posts/{id}/comments": get("/comments"),
    "/data/odd%20%7Bname%7D": get("/odd {name}"),
  };
  assert.deepEqual(collectionsOf({ paths }), [
    { name: "posts", address: "/data/posts", single: false, route: "x" },
    { name: "odd {name}", address: "/data/odd%20%7Bname%7D", single: true, route: "x" },
    { name: "users", address: "/users", single: false, route: "readMembers" },
  ]);
  for (const none of [null, undefined, {}, { paths: {} }]) assert.deepEqual(collectionsOf(none), []);
});

test("the id is the first column, and each member of any row is one", () => {
  assert.deepEqual(columnsOf([{ a: 1, id: 1 }, { b: 1, id: 2, a: null }]), ["id", "a", "b"]);
  assert.deepEqual(columnsOf([{ name: "typicode" }]), ["name"]);
  assert.deepEqual(columnsOf([]), []);
  assert.deepEqual(columnsOf([parse('{"__proto__":1,"constructor":2}')]), ["__proto__", "constructor"]);
});

test("a text is shown as it is, and all else as JSON", () => {
  for (const [value, want] of [["<b>", "<b>"], [null, "null"], [undefined, ""], [0, "0"], [false, "false"], ["", ""], [{ a: ["x"] }, '{"a":["x"]}']]) {
    assert.equal(cellText(value), want);
  }
  assert.equal(cellText("x".repeat(201)), "x".repeat(200) + "…");
});

test("numbers stay as they are written, where JavaScript can do that", () => {
  const [row] = parse('[{"n":9007199254740993,"price":1.10,"in":{"n":1e2}}]');
  const exact = typeof JSON.rawJSON === "function";
  assert.equal(cellText(row.n), exact ? "9007199254740993" : "9007199254740992");
  assert.equal(cellText(row.price), exact ? "1.10" : "1.1");
  assert.equal(cellText(row.in), exact ? '{"n":1e2}' : '{"n":100}');
});

test("an id and a number are never broken, and what is nested is code", () => {
  for (const [name, value, want] of [["id", "a-b", "id"], ["id", 1, "id"], ["n", 1.5, "number"], ["n", parse("9007199254740993"), "number"], ["a", [], "json"], ["a", {}, "json"], ["a", null, ""], ["a", true, ""], ["a", "1", ""]]) {
    assert.equal(kindOf(name, value), want, `${name} ${JSON.stringify(value)}`);
  }
  assert(isLong("x".repeat(201)) && !isLong("x".repeat(200)) && !isLong([]));
  assert.equal(pretty({ a: 1 }), '{\n  "a": 1\n}');
  assert.equal(pretty("a"), "a");
});
