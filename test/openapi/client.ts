// A client that knows the server by openapi.json alone: what it may send and
// what it gets are types that openapi-typescript has made of the page, so that
// a wrong description doesn't compile, or fails here.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema.js";

const [url] = process.argv.slice(2);
if (!url) throw new Error("usage: node client.js URL");
const client = createClient<paths>({ baseUrl: url });

// need is data, or the error that came in its stead.
function need<T>(answer: { data?: T; error?: unknown; response: Response }, status: number): T {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
  assert.ok(answer.data !== undefined);
  return answer.data;
}

// sole is the one row of a catalog answer.
function sole<T>(answer: { data: T[] }): T {
  const [row, ...others] = answer.data;
  assert.ok(row !== undefined && others.length === 0);
  return row;
}

async function items() {
  const ann = { email: "ann@example.com", password: "b00k-worm" };
  const signedUp = sole(need(await client.POST("/api/v1/auth/signup", { body: ann }), 201));
  assert.equal(signedUp.user.email, ann.email);
  const { access_token } = sole(need(await client.POST("/api/v1/auth/signin", { body: ann }), 200));
  const headers = { Authorization: `Bearer ${access_token}` };

  const ball = { itemname: "ball", category: "toys", description: "It is round" };
  const created = await client.POST("/api/v1/items", { headers, body: ball });
  const { id, uri } = sole(need(created, 201));
  assert.equal(created.response.headers.get("Location"), uri);
  const cup = { itemname: "cup", category: "kitchen", description: "It is empty" };
  need(await client.POST("/api/v1/items", { headers, body: [cup, { ...cup, itemname: "mug" }] }), 201);

  const list = await client.GET("/api/v1/items", { headers, params: { query: { category: "toys", sort: "-itemname", limit: 10 } } });
  const item: components["schemas"]["Item"] = sole(need(list, 200));
  assert.deepEqual(item, { ...ball, id, createdon: item.createdon, created_at: item.created_at, createdby: signedUp.user.id });
  assert.equal(list.response.headers.get("X-Total-Count"), "1");
  const first = await client.GET("/api/v1/items", { headers, params: { query: { limit: 1 } } });
  const after = /[?&]after=([^&>]+)/.exec(first.response.headers.get("Link") ?? "")?.[1];
  assert.ok(after);
  const second = await client.GET("/api/v1/items", { headers, params: { query: { limit: 1, after } } });
  assert.equal(sole(need(second, 200)).itemname, "cup");
  const categories = need(await client.GET("/api/v1/categories", { headers }), 200);
  assert.deepEqual(categories.data, [{ category: "kitchen", items: 2 }, { category: "toys", items: 1 }]);

  const path = { id };
  const read = await client.GET("/api/v1/items/{id}", { headers, params: { path } });
  const tag = read.response.headers.get("ETag");
  assert.ok(tag);
  const mine = { path, header: { "If-Match": tag } };
  const merged = await client.PATCH("/api/v1/items/{id}", {
    headers: { ...headers, "Content-Type": "application/merge-patch+json" }, params: mine, body: { description: "It is flat" },
  });
  assert.equal(sole(need(merged, 200)).description, "It is flat");
  const stale = await client.PUT("/api/v1/items/{id}", { headers, params: mine, body: ball });
  assert.equal(stale.response.status, 412);
  assert.equal(stale.error?.status, 412);
  const field = { path: { id, field: "itemname" as const } };
  const renamed = await client.PATCH("/api/v1/items/{id}/{field}", { headers, params: field, body: { itemname: "disc" } });
  assert.equal(sole(need(renamed, 200)).itemname, "disc");
  need(await client.PUT("/api/v1/items/{id}", { headers, params: { path }, body: ball }), 200);

  const gone = sole(need(await client.DELETE("/api/v1/items/{id}", { headers, params: { path } }), 200));
  assert.equal(gone.id, id);
  const missing = await client.GET("/api/v1/items/{id}", { headers, params: { path } });
  assert.equal(missing.error?.error, "Requested item does not exist");

  need(await client.DELETE("/api/v1/auth/logout", { headers }), 200);
  const late = await client.GET("/api/v1/auth/me", { headers });
  assert.equal(late.error?.error, "Token has been revoked");
}

async function books() {
  const bea = { username: "bea", password: "worm" };
  need(await client.POST("/signup", { body: bea }), 201);
  const { token } = need(await client.POST("/login", { body: bea }), 201);
  const headers = { "x-access-token": token };
  need(await client.POST("/bookapi/addbook", { headers, body: { title: "Dune", author: "Frank Herbert" } }), 200);
  const { Books } = need(await client.GET("/bookapi/books", { headers, params: { query: { q: "herbert" } } }), 200);
  assert.deepEqual(Books, [{ id: 1, title: "Dune", author: "Frank Herbert" }]);
  const deleted = need(await client.DELETE("/bookapi/books/{id}", { headers, params: { path: { id: 1 } } }), 200);
  assert.equal(deleted.message, "Book deleted");
  const none = await client.GET("/bookapi/books/{id}", { headers, params: { path: { id: 1 } } });
  assert.equal(none.error?.message, "book does not exist");
}

await items();
await books();
console.log("the generated client: sign-up, create, list, edit, delete, log-out");
