// Snippets: each does the same request, in its language.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { sixLines, snippets } from "../../console/snippets.js";

const folder = mkdtempSync(join(tmpdir(), "snippets-"));
const heard = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", () => {
    heard.push({ method: request.method, url: request.url, headers: request.headers, body });
    response.end("heard");
  });
});
before(async () => {
  // Stand-ins for what npm and pip install: they send the request that they are told of.
  mkdirSync(join(folder, "node_modules", "axios"), { recursive: true });
  writeFileSync(join(folder, "node_modules", "axios", "package.json"), '{"type":"module","exports":"./axios.js"}');
  writeFileSync(join(folder, "node_modules", "axios", "axios.js"), `export default async ({ method, url, headers, data }) => {
    const answer = await fetch(url, { method: method.toUpperCase(), headers, body: typeof data === "object" ? JSON.stringify(data) : data });
    return { status: answer.status, data: await answer.text() };
  };`);
  writeFileSync(join(folder, "requests.py"), `import json as j, urllib.request
class Answer:
    def __init__(self, a): self.status_code, self.text = a.status, a.read().decode()
def send(method):
    def call(url, headers={}, json=None, data=None):
        if json is not None: headers, data = {**headers, "Content-Type": "application/json"}, j.dumps(json).encode()
        return Answer(urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)))
    return call
get, post, put, patch, delete = map(send, ["GET", "POST", "PUT", "PATCH", "DELETE"])
`);
  await once(server.listen(0, "127.0.0.1"), "listening");
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const there = (command) => {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    return error.code !== "ENOENT";
  }
};

const languages = {
  fetch: ["node", "fetch.mjs"], axios: ["node", "axios.mjs"], curl: ["sh", "curl.sh"],
  ...(there("python3") && { Python: ["python3", "python.py"] }),
  ...(there("go") && { Go: ["go", "run", "main.go"] }),
};

const requests = [
  { method: "GET", path: "/posts?q=a+b", headers: {}, body: null },
  { method: "POST", path: "/posts", headers: { Authorization: "Bearer eyJ.eyJ.x", "Content-Type": "application/json" }, body: '{"title":"it\'s \\"quoted\\" $HOME `id` é🙂\\n","n":[1,null,true,{"a-b":false}]}' },
  { method: "PATCH", path: "/posts/1", headers: { "Content-Type": "application/merge-patch+json", "If-Match": '"a"' }, body: '{"id":9007199254740993}' },
  { method: "DELETE", path: "/posts/a%2Fb", headers: { "x-access-token": "eyJ.eyJ.x" }, body: null },
];

for (const [language, [command, ...args]] of Object.entries(languages)) {
  test(`${language} sends the request that is shown`, async () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    for (const { path, ...request } of language === "Go" ? requests.slice(1, 2) : requests) {
      writeFileSync(join(folder, args.at(-1)), snippets[language]({ ...request, url: url + path }));
      heard.length = 0;
      const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env: { ...process.env, GO111MODULE: "off", GOFLAGS: "" } });
      assert.match(stdout, /200[\s\S]*heard/);
      const [got] = heard;
      assert.equal(`${got.method} ${got.url}`, `${request.method} ${path}`);
      for (const [name, value] of Object.entries(request.headers)) assert.equal(got.headers[name.toLowerCase()], value);
      if (request.body?.includes("9007")) assert.equal(got.body, request.body);
      else assert.deepEqual(JSON.parse(got.body || "null"), JSON.parse(request.body));
    }
  });
}

test("there are six lines, whatever the server has", () => {
  const row = { title: "Hello" };
  for (const [collection, register] of [[null, false], [{ address: "/posts", row }, true], [{ address: "/data/posts", row }, false]]) {
    const lines = sixLines("http://127.0.0.1:8080", collection, register);
    assert.equal(lines.length, 6);
    for (const line of lines) assert(!line.includes("\n"));
    assert.equal(lines.join("\n").includes("/register"), register);
  }
});
