// Run by node --test: what of the page needs no page.
import assert from "node:assert/strict";
import test from "node:test";
import { decode, distance, encode, read, span, split } from "../../console/token.js";

// RFC 7515 §A.1.1.
const example = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

test("a token is taken apart without any key", () => {
  const { header, payload, signature } = read(example);
  assert.deepEqual(header, { typ: "JWT", alg: "HS256" });
  assert.deepEqual(payload, { iss: "joe", exp: 1300819380, "http://example.com/is_root": true });
  assert.equal(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
});

test("what is no token is none", () => {
  for (const text of ["", "eyJ", "a.b.c", "eyJ9.eyJ9.", "....", "é.é.é"]) assert.equal(read(text), null, text);
});

test("base64url goes there and back", () => {
  for (const text of ["", "a", "ab", "abc", "?>?>", "Löwe, 狮子, 🦁", "\0"]) {
    assert.equal(encode(text), Buffer.from(text).toString("base64url"));
    assert.equal(decode(encode(text)), text);
  }
  assert.equal(encode(new Uint8Array([251, 255, 254]).buffer), "-__-");
  assert.throws(() => decode("_w"), "a byte that is no UTF-8");
});

test("times are worded in their two largest units", () => {
  for (const [seconds, words] of [
    [0, "0 s"], [0.4, "0 s"], [59, "59 s"], [60, "1 min"], [61, "1 min 1 s"], [3600, "1 h"], [3601, "1 h"], [3660, "1 h 1 min"],
    [86400, "1 d"], [90000, "1 d 1 h"], [86460, "1 d"], [2592000, "30 d"], [-75, "1 min 15 s"],
  ]) assert.equal(span(seconds), words, seconds);
  assert.equal(distance(100, 40), "in 1 min");
  assert.equal(distance(40, 100), "1 min ago");
});

test("tokens are found in any text", () => {
  assert.deepEqual(split(`Bearer ${example}, ${example}`), ["Bearer ", example, ", ", example, ""]);
  assert.deepEqual(split("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ."), ["", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", ""]);
  assert.deepEqual(split("no token: eyJ.x"), ["no token: eyJ.x"]);
});
