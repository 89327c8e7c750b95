import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { curl, masked, quote } from "../../console/curl.js";

// What would mean something to a shell, were it not quoted.
const nasty = ["", "plain", "two words", "it's", "'", "''", "$HOME `id` $(id)", "\\", "a\nb\n", "!!", "~", "*", "# no comment", "-n", "é🙂", '"', "a&b|c;d<e>f", "\t"];

test("a shell reads a quoted text as it is", () => {
  for (const text of nasty) assert.equal(execFileSync("sh", ["-c", `printf %s ${quote(text)}`]).toString(), text);
});

test("a request is one line that a shell takes apart again", () => {
  const request = {
    method: "PATCH", url: "http://127.0.0.1:8080/api/v1/items/1?q=[a]", body: '{"itemname":"it\'s @ $HOME"}',
    headers: { Authorization: "Bearer eyJ.eyJ.x", "If-Match": '"a"' },
  };
  const words = execFileSync("sh", ["-c", curl(request).replace(/^curl/, "printf '%s\\n'")]).toString().trimEnd().split("\n");
  assert.deepEqual(words, ["-i", "-X", "PATCH", "-g", request.url, "-H", "Authorization: Bearer eyJ.eyJ.x", "-H", 'If-Match: "a"', "--data-raw", request.body]);
});

test("curl is told no more than it has to be", () => {
  const url = "http://127.0.0.1:8080/";
  assert.equal(curl({ method: "GET", url, headers: {}, body: null }), `curl -i ${url}`);
  assert.equal(curl({ method: "POST", url, headers: {}, body: "{}" }), `curl -i ${url} --data-raw '{}'`);
  assert.equal(curl({ method: "POST", url, headers: {}, body: null }), `curl -i -X POST ${url}`);
  assert.equal(curl({ method: "GET", url, headers: {}, body: null, stream: true }), `curl -iN ${url}`);
});

test("no password is shown", () => {
  const shown = masked('{"email":"ann@example.com","password":"b00k-worm","new_password":"n3w-worm","current_password":"0ld-worm"}');
  assert.doesNotMatch(shown, /worm/);
  assert.match(shown, /ann@example\.com/);
  assert.equal(masked("Could not verify!"), "Could not verify!");
});
