#!/usr/bin/env node
// The command. In a fresh checkout it compiles the sources first; in an installed package they are compiled.
//
// CommonJS on purpose: images are decoded on libuv's threads, whose number is fixed when the first is used, and Node 20
// uses them to load the first ES module. So this has to run before that one.
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { availableParallelism, constants } = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

// Process 1 of a container ignores a signal that nobody listens for, and it takes a while until a command does.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) > 1) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exit(128 + constants.signals[signal]);
  });
}

// A thread for each core to decode on, and a few for files and names.
process.env.UV_THREADPOOL_SIZE ||= String(Math.min(availableParallelism() + 4, 1024));

// From 1.29 on ONNX Runtime tells its makers of every session, the model's file name too, unless it is told not to.
process.env.ORT_DISABLE_TELEMETRY ||= '1';

const main = path.join(__dirname, '../build/src/main.js');
const build = path.join(__dirname, '../scripts/build.js');
if (!existsSync(main) && existsSync(build)) {
  const { status } = spawnSync(process.execPath, [build], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
void import(pathToFileURL(main).href);
