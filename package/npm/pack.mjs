// pack.mjs VERSION makes the npm packages of the programs in dist/: one for each
// system, and the main one, which names the others as optional dependencies. npm
// installs the one that fits. Nothing is downloaded or run at an installation.
//
// ./build npm calls this. It takes node (18 or later) and npm.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const dist = join(root, "dist");
const name = /^npm=(\S+)$/m.exec(readFileSync(join(here, "..", "names"), "utf8"))[1];
const version = process.argv[2].replace(/^v/, "").replace(/\+.*/, "");
if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) {
	console.error(`npm takes no version ${version}: want one such as v1.2.0`);
	process.exit(2);
}

// What node calls the systems, and the programs' names in dist/.
const systems = [
	{ os: "linux", cpu: "x64", program: "shelf-linux-amd64" },
	{ os: "linux", cpu: "arm64", program: "shelf-linux-arm64" },
	{ os: "darwin", cpu: "x64", program: "shelf-darwin-amd64" },
	{ os: "darwin", cpu: "arm64", program: "shelf-darwin-arm64" },
	{ os: "win32", cpu: "x64", program: "shelf-windows-amd64.exe" },
	{ os: "win32", cpu: "arm64", program: "shelf-windows-arm64.exe" },
];

const folder = mkdtempSync(join(tmpdir(), "shelf-npm-"));
try {
	const packages = [...systems.map(layOutSystem), layOutMain()];
	// npm names the tarballs after the packages and the version, and writes the same bytes for the same files.
	execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", dist, ...packages], { cwd: folder, shell: process.platform === "win32", stdio: ["ignore", "inherit", "inherit"] });
} finally {
	rmSync(folder, { recursive: true });
}

// layOut writes the folder of one package and returns its path. The files are given as
// [name in it, where they come from].
function layOut(manifest, files) {
	const at = manifest.name.replace("/", "-");
	for (const [to, from] of [...files, ...licences()]) {
		const file = join(folder, at, to);
		mkdirSync(dirname(file), { recursive: true });
		copyFileSync(from, file);
		chmodSync(file, to.startsWith("bin/") ? 0o755 : 0o644);
	}
	writeFileSync(join(folder, at, "package.json"), JSON.stringify(manifest, null, 2) + "\n");
	return `./${at}`;
}

// common are the members of every package.json.
function common(name, description) {
	const license = existsSync(join(root, "LICENSE")) ? "SEE LICENSE IN LICENSE" : "UNLICENSED";
	const { GITHUB_SERVER_URL: host, GITHUB_REPOSITORY: repository } = process.env; // npm compares it with the provenance
	return { name, version, description, license, ...(repository && { repository: { type: "git", url: `git+${host}/${repository}.git` } }) };
}

// licences are the files about licences: other people's, and the owner's once there is one.
function licences() {
	const own = join(root, "LICENSE");
	return [["THIRD_PARTY_LICENSES.txt", join(dist, "THIRD_PARTY_LICENSES.txt")], ...(existsSync(own) ? [["LICENSE", own]] : [])];
}

function layOutSystem({ os, cpu, program }) {
	const ending = os === "win32" ? ".exe" : "";
	const readme = join(folder, "system.md");
	writeFileSync(readme, `# ${name}-${os}-${cpu}\n\nThe program of ${name} for ${os} on ${cpu}. Install ${name}: npm installs this with it.\n`);
	const manifest = { ...common(`${name}-${os}-${cpu}`, `shelf for ${os} on ${cpu}`), os: [os], cpu: [cpu], preferUnplugged: true };
	return layOut(manifest, [[`bin/shelf${ending}`, join(dist, program)], ["README.md", readme]]);
}

function layOutMain() {
	const readme = join(folder, "main.md");
	writeFileSync(readme, readFileSync(join(here, "README.md"), "utf8").replaceAll("NAME", name));
	const manifest = {
		...common(name, "Gives a JSON file an API, as json-server does, with accounts and JWT sign-in"),
		keywords: ["json-server", "mock", "rest", "api", "jwt", "fake", "server"],
		engines: { node: ">=18" },
		main: "bin/shelf.js",
		types: "shelf.d.ts",
		bin: { shelf: "bin/shelf.js" },
		optionalDependencies: Object.fromEntries(systems.map(({ os, cpu }) => [`${name}-${os}-${cpu}`, version])),
	};
	return layOut(manifest, [["bin/shelf.js", join(here, "shelf.js")], ["shelf.d.ts", join(here, "shelf.d.ts")], ["README.md", readme]]);
}
