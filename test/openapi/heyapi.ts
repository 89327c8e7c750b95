// The same with a client that @hey-api/openapi-ts has made of openapi.json.
import assert from "node:assert/strict";
import { client } from "./generated/heyapi/client.gen.js";
import { createItem, deleteItem, getItem, mergeItem, signUp } from "./generated/heyapi/sdk.gen.js";

const [url] = process.argv.slice(2);
if (!url) throw new Error("usage: node heyapi.js URL");
client.setConfig({ baseUrl: url });

const refused = await signUp({ body: { email: "hey", password: "b00k-worm" } });
assert.deepEqual(refused.error?.details, [{ field: "email", rule: "pattern" }]);
const signedUp = await signUp({ body: { email: "hey@example.com", password: "b00k-worm" }, throwOnError: true });
client.setConfig({ baseUrl: url, auth: signedUp.data.data[0].access_token });

const ball = { itemname: "ball", category: "toys", description: "It is round" };
const created = await createItem({ body: ball, throwOnError: true });
const id = created.data.data[0]?.id;
assert.ok(id);
const changed = await mergeItem({ path: { id }, body: { description: "It is flat" }, throwOnError: true });
assert.equal(changed.data.data[0].description, "It is flat");
await deleteItem({ path: { id }, throwOnError: true });
const missing = await getItem({ path: { id } });
assert.equal(missing.error?.error, "Requested item does not exist");
console.log("@hey-api/openapi-ts: sign-up, create, edit, delete");
