// The npm packages in dist/, as npm installs them: from a registry of this test's own,
// into an empty project. package/test runs this.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "..", "..", "dist");
const name = /^npm=(\S+)$/m.exec(readFileSync(join(here, "..", "names"), "utf8"))[1];
const own = `${name}-${process.platform}-${process.arch}`;
const folder = mkdtempSync(join(tmpdir(), "shelf-npm-test-"));

// packages are those in dist/: the package.json, the tarball, and what tar lists of it.
const packages = readdirSync(dist).filter((file) => file.endsWith(".tgz")).map((file) => {
	const tarball = join(dist, file);
	const tar = (...args) => execFileSync("tar", [...args, tarball], { encoding: "utf8" });
	const listing = tar("tzvf").trim().split("\n");
	return { manifest: JSON.parse(execFileSync("tar", ["xzOf", tarball, "package/package.json"], { encoding: "utf8" })), tarball, listing };
});
const main = packages.find(({ manifest }) => manifest.name === name);
const systems = packages.filter((p) => p !== main);

let registry, environment, project;
const started = []; // process groups

// What a registry answers about a package: its versions, and for each where its tarball is.
function answer(request, response) {
	const path = decodeURIComponent(request.url.slice(1));
	const asked = packages.find(({ manifest, tarball }) => path === manifest.name || path === basename(tarball));
	if (!asked) return response.writeHead(404).end("{}");
	const bytes = readFileSync(asked.tarball);
	if (path !== asked.manifest.name) return response.end(bytes);
	const { version } = asked.manifest;
	const integrity = "sha512-" + createHash("sha512").update(bytes).digest("base64");
	const released = { ...asked.manifest, dist: { integrity, tarball: `http://127.0.0.1:${registry.address().port}/${basename(asked.tarball)}` } };
	response.end(JSON.stringify({ name: path, "dist-tags": { latest: version }, versions: { [version]: released } }));
}

before(async () => {
	registry = createServer(answer).listen(0, "127.0.0.1");
	await once(registry, "listening");
	// Nothing of the tester's npm counts, and no setting of shelf.
	environment = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_|shelf_|secret_key|port$)/i.test(key)));
	Object.assign(environment, {
		npm_config_registry: `http://127.0.0.1:${registry.address().port}`, npm_config_userconfig: join(folder, "npmrc"),
		npm_config_cache: join(folder, "cache"), npm_config_audit: "false", npm_config_fund: "false", npm_config_update_notifier: "false",
		SHELF_BCRYPT_COST: "4",
	});
	project = emptyProject("project");
});

after(() => {
	for (const group of started) {
		try {
			process.kill(-group, "SIGKILL");
		} catch {} // it has ended, as it should
	}
	registry.close();
	rmSync(folder, { recursive: true, maxRetries: 5 });
});

function emptyProject(called) {
	const at = join(folder, called);
	mkdirSync(at);
	return at;
}

// run runs a command to its end, in the environment of a new user.
async function run(at, command, ...args) {
	const child = spawn(command, args, { cwd: at, env: environment, stdio: ["pipe", "pipe", "pipe"] });
	let stdout = "", stderr = "";
	child.stdout.on("data", (text) => (stdout += text));
	child.stderr.on("data", (text) => (stderr += text));
	child.stdin.end("b00k-worm\n");
	const [status, signal] = await once(child, "close");
	return { status, signal, stdout, stderr };
}

async function succeeds(...command) {
	const ended = await run(...command);
	assert.equal(ended.status, 0, `${command.join(" ")}: ${ended.stdout}${ended.stderr}`);
	return ended.stdout;
}

const launcher = () => join(project, "node_modules", ".bin", "shelf");

// start starts a server, in a process group of its own, and returns it with its URL.
async function start(command, ...args) {
	const child = spawn(command, [...args, "-addr", "127.0.0.1:0"], { cwd: project, env: environment, stdio: ["ignore", "pipe", "ignore"], detached: true });
	for await (const line of createInterface(child.stdout)) {
		started.push(child.pid);
		return { child, url: line.replace("listening on ", "") };
	}
	throw new Error("the server ended before it said where it listens");
}

test("each package has one version, its licences, its program, and nothing that runs at an installation", () => {
	const [version] = new Set(packages.map(({ manifest }) => manifest.version));
	assert.deepEqual(systems.map(({ manifest: { os, cpu } }) => `${os}-${cpu}`).sort(), ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-arm64", "win32-x64"]);
	assert.deepEqual(main.manifest.optionalDependencies, Object.fromEntries(systems.map(({ manifest }) => [manifest.name, manifest.version])));
	for (const { manifest, listing } of packages) {
		assert.equal(manifest.version, version);
		assert.equal(manifest.scripts, undefined);
		assert.equal(manifest.dependencies, undefined);
		for (const file of ["README.md", "THIRD_PARTY_LICENSES.txt"]) assert(listing.some((line) => line.endsWith(` package/${file}`)), `${manifest.name} lacks ${file}`);
		for (const line of listing) assert.equal(line.slice(0, 10), line.includes(" package/bin/") ? "-rwxr-xr-x" : "-rw-r--r--", line);
	}
});

test("from an empty folder to a fetch that works", async () => {
	const began = performance.now();
	await succeeds(project, "npm", "install", name);
	assert.deepEqual(readdirSync(join(project, "node_modules", dirname(own))).sort(), [basename(name), basename(own)], "only the program of this system is installed");
	writeFileSync(join(project, "db.json"), `{"posts":[{"id":1,"title":"Bread for beginners"}]}`);
	const { child, url } = await start("npx", "shelf", "db.json");
	const json = async (request) => (assert((await request).ok, (await request).status), (await request).json());
	const post = (path, body, headers) => fetch(url + path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });
	const { accessToken } = await json(post("/register", { email: "ann@example.com", password: "b00k-worm" }));
	await json(post("/posts", { title: "Rye" }, { authorization: `Bearer ${accessToken}` }));
	const titles = (await json(fetch(`${url}/posts`, { headers: { authorization: `Bearer ${accessToken}` } }))).map(({ title }) => title);
	console.log(`from the tarball to a fetch that works: ${((performance.now() - began) / 1000).toFixed(1)} s`);
	assert.deepEqual(titles, ["Bread for beginners", "Rye"]);
	process.kill(-child.pid, "SIGINT"); // as a terminal does at Ctrl-C
	await once(child, "exit"); // npx has its own ways of ending
	await gone(url);
});

// gone waits until nothing answers at a URL.
async function gone(url) {
	while (await fetch(url).then(() => true, () => false)) await new Promise((go) => setTimeout(go, 20));
}

test("arguments, standard input, output and exit status are those of the program", async () => {
	assert.match(await succeeds(project, launcher(), "version"), new RegExp(`^shelf v${main.manifest.version}\\b`));
	assert.match(await succeeds(project, launcher(), "user", "add", "ann@example.com", "-data", "a b.jsonl"), /ann@example.com \(user 1\) is added.* a b.jsonl/);
	const slip = await run(project, launcher(), "frob");
	assert.deepEqual([slip.status, slip.stdout], [2, ""]);
	assert.match(slip.stderr, /^shelf: unknown command "frob".*\n$/);
	assert.equal((await run(project, launcher(), "run", "-log=off", "--", "sh", "-c", "exit 41")).status, 41);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
	test(`${signal} stops the server, which ends in good order`, async () => {
		const { child, url } = await start(launcher(), "-data", "memory");
		assert.equal((await fetch(`${url}/readyz`)).status, 200);
		child.kill(signal);
		assert.deepEqual(await once(child, "exit"), [0, null]);
		await assert.rejects(fetch(url));
	});
}

test("a program that is killed looks so from outside", async () => {
	const { child } = await start(launcher(), "-data", "memory");
	const program = spawnSync("ps", ["-o", "pid=", "--ppid", String(child.pid)], { encoding: "utf8" }).stdout.trim();
	process.kill(Number(program), "SIGKILL");
	assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
});

test("other programs learn where the program is", async () => {
	const path = (await succeeds(project, process.execPath, "-p", `require(${JSON.stringify(name)}).path`)).trim();
	assert(path.startsWith(join(project, "node_modules", own)) && existsSync(path), path);
	assert.equal(await succeeds(project, process.execPath, "--input-type=module", "-e", `import shelf from ${JSON.stringify(name)}; console.log(shelf.path)`), path + "\n");
});

test("the tarballs alone are enough, without a registry", async () => {
	const at = emptyProject("offline");
	const { tarball } = systems.find(({ manifest }) => manifest.name === own);
	await succeeds(at, "npm", "install", "--offline", "--ignore-scripts", main.tarball, tarball);
	assert.match(await succeeds(at, "npx", "shelf", "version"), /^shelf v/);
});

test("without the package of this system there is one line that says what to do", async () => {
	const at = emptyProject("omitted");
	await succeeds(at, "npm", "install", "--omit=optional", name);
	const ended = await run(at, join(at, "node_modules", ".bin", "shelf"));
	assert.deepEqual([ended.status, ended.stdout], [1, ""]);
	assert.match(ended.stderr, new RegExp(`^shelf: the package ${own} is missing, .* without --omit=optional.*\\n$`));
});

test("on a system without a program there is one line that says so", async () => {
	const pretend = join(folder, "pretend.js");
	writeFileSync(pretend, `Object.defineProperty(process, "platform", { value: "sunos" });`);
	const ended = await run(project, process.execPath, "-r", pretend, launcher(), "version");
	assert.deepEqual([ended.status, ended.stdout], [1, ""]);
	assert.equal(ended.stderr, `shelf: there is no program for sunos on ${process.arch}; build it from the source with Go\n`);
});
