// The same with a client that orval has made of openapi.json.
import assert from "node:assert/strict";
import { createItem, deleteItem, getItem, mergeItem, signUp } from "./generated/orval.js";

const [url] = process.argv.slice(2);
if (!url) throw new Error("usage: node orval.js URL");
const byPath = globalThis.fetch; // orval's client is for a page of the server's own
globalThis.fetch = (path, init) => byPath(url + path, init);

const refused = await signUp({ email: "orval", password: "b00k-worm" });
assert.ok(refused.status === 400);
assert.deepEqual(refused.data.details, [{ field: "email", rule: "pattern" }]);
const signedUp = await signUp({ email: "orval@example.com", password: "b00k-worm" });
assert.ok(signedUp.status === 201);
const options = { headers: { Authorization: `Bearer ${signedUp.data.data[0]?.access_token}` } };

const ball = { itemname: "ball", category: "toys", description: "It is round" };
const created = await createItem(ball, options);
assert.ok(created.status === 201);
const id = created.data.data[0]?.id;
assert.ok(id);
const changed = await mergeItem(id, { description: "It is flat" }, options);
assert.ok(changed.status === 200);
assert.equal(changed.data.data[0]?.description, "It is flat");
assert.equal((await deleteItem(id, options)).status, 200);
const missing = await getItem(id, options);
assert.ok(missing.status === 404);
assert.equal(missing.data.error, "Requested item does not exist");
console.log("orval: sign-up, create, edit, delete");
