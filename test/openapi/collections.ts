// A client that knows a server with collections by its openapi.json alone, as
// client.ts knows the one without. The types of rows are inferred from db.json.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/rows.js";

const [url] = process.argv.slice(2);
if (!url) throw new Error("usage: node collections.js URL");
const client = createClient<paths>({ baseUrl: url });
type Post = components["schemas"]["posts_row"];

// need is data, or the error that came in its stead.
function need<T>(answer: { data?: T; error?: unknown; response: Response }, status: number): T {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
  assert.ok(answer.data !== undefined);
  return answer.data;
}

async function rows() {
  const ann = { email: "ann@example.com", password: "b00k-worm", name: "Ann" };
  const { accessToken, user } = need(await client.POST("/register", { body: ann }), 201);
  assert.equal(user.email, ann.email);
  need(await client.POST("/signin", { body: ann }), 200);
  const headers = { Authorization: `Bearer ${accessToken}` };

  const filed: Post = { id: 1, title: "first", views: 1.5, tags: ["a"], author: { name: "Ann" } };
  const list = await client.GET("/posts", { params: { query: { title_like: "^f", views_gte: 1, _sort: "title", _page: 1, _limit: 2 } } });
  assert.deepEqual(need(list, 200), [filed]);
  assert.equal(list.response.headers.get("X-Total-Count"), "1");

  const draft = { title: "third", views: 0, tags: [], author: { name: "Ann" } };
  const created = await client.POST("/posts", { headers, body: draft });
  const post: Post = need(created, 201);
  assert.deepEqual(post, { ...draft, id: 3 });
  assert.equal(created.response.headers.get("Location"), `${url}/posts/3`);
  const path = { id: post.id };
  const comment = need(await client.POST("/posts/{id}/comments", { headers, params: { path }, body: { body: "well" } }), 201);
  assert.equal(comment.postId, post.id);
  assert.deepEqual(need(await client.GET("/posts/{id}/comments", { params: { path } }), 200), [comment]);

  const read = await client.GET("/posts/{id}", { params: { path } });
  const tag = read.response.headers.get("ETag");
  assert.ok(tag);
  const mine = { path, header: { "If-Match": tag } };
  const patched = need(await client.PATCH("/posts/{id}", { headers, params: mine, body: { title: "last" } }), 200);
  assert.equal(patched.title, "last");
  const stale = await client.PUT("/posts/{id}", { headers, params: mine, body: draft });
  assert.equal(stale.response.status, 412);
  need(await client.DELETE("/posts/{id}", { headers, params: { path } }), 200);
  const missing = await client.GET("/posts/{id}", { params: { path } });
  assert.equal(missing.response.status, 404);
  assert.deepEqual(missing.error, {});

  const profile = need(await client.PATCH("/profile", { headers, body: { name: "shelf" } }), 200);
  assert.equal(profile.name, "shelf");
  const refused = await client.POST("/posts", { body: draft });
  assert.equal(refused.response.status, 401);
  assert.equal(refused.error, "Missing authorization header");

  const mineOnly = need(await client.GET("/users", { headers }), 200);
  assert.deepEqual(mineOnly, [user]);
  need(await client.POST("/logout", { headers }), 200);
  const late = await client.GET("/users", { headers });
  assert.equal(late.error, "jwt revoked");
}

await rows();
console.log("the generated client of collections: accounts, filter, create, nested, edit, delete, log-out");
