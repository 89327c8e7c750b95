#!/usr/bin/env node
// The command shelf of the npm package: it runs the program that npm has installed for
// this system, with the same arguments, streams and exit status. require() of the
// package gives {path}, where that program is.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const manifest = require("../package.json");

const windows = process.platform === "win32";

function find() {
	const wanted = `${manifest.name}-${process.platform}-${process.arch}`;
	if (!manifest.optionalDependencies[wanted]) {
		throw new Error(`there is no program for ${process.platform} on ${process.arch}; build it from the source with Go`);
	}
	try {
		return require.resolve(`${wanted}/bin/shelf${windows ? ".exe" : ""}`);
	} catch {
		throw new Error(`the package ${wanted} is missing, which holds the program: run npm install on this system, without --omit=optional and --no-optional`);
	}
}

Object.defineProperty(exports, "path", { enumerable: true, get: find });

function run() {
	let path;
	try {
		path = find();
	} catch (error) {
		console.error(`shelf: ${error.message}`);
		process.exit(1);
	}
	const child = spawn(path, process.argv.slice(2), { stdio: "inherit" });
	// The console of Windows tells the program itself. A terminal does too at Ctrl-C, and the program takes
	// two signals in the same moment for one.
	for (const signal of windows ? ["SIGINT", "SIGBREAK", "SIGHUP"] : ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
		process.on(signal, () => windows || child.kill(signal));
	}
	child.on("error", (error) => {
		console.error(`shelf: can't run ${path}: ${error.message}`);
		process.exit(1);
	});
	child.on("exit", (status, signal) => {
		if (!signal) process.exit(status);
		// The caller of this command is to see the signal that ended the program.
		process.removeAllListeners(signal);
		process.kill(process.pid, signal);
		process.exitCode = 128 + constants.signals[signal]; // what ignores its signals, as process 1 does
	});
}

if (require.main === module) run();
