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

const { env, ppid: firstParent } = process;
let isStopping = false;

// Process 1 of a container ignores a signal without a listener, and a command takes a while until it listens.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    isStopping = true;
    if (process.listenerCount(signal) > 1) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exit(128 + constants.signals[signal]);
  });
}

// npm and npx run a command in a shell and forward SIGTERM to that shell alone. It dies, and the command would live on with
// its ports; a new parent is the only sign. npm waits for a script that is nothing but this command in the foreground, so
// there a new parent means stop. Elsewhere it may not: nohup, setsid and scripts that start a service outlive their parents.
const foreground = /^(\w+=\S* )*(node )?\S*siglip-hd(\.cjs)?['"]?( ([^&|;]|>&)*)?$/;
const npmWaits = foreground.test(env.npm_lifecycle_script ?? '');
if (npmWaits) {
  const watch = setInterval(() => {
    if (process.ppid === firstParent) return;
    clearInterval(watch);
    if (!isStopping) process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
}

// A thread for each core to decode on, and a few for files and names.
env.UV_THREADPOOL_SIZE ||= String(Math.min(availableParallelism() + 4, 1024));

// Since 1.29 ONNX Runtime reports every session to its makers, with the model's file name, unless told not to.
env.ORT_DISABLE_TELEMETRY ||= '1';

const main = path.join(__dirname, '../build/src/main.js');
const build = path.join(__dirname, '../scripts/build.js');
try {
  require.resolve('onnxruntime-node');
} catch {
  process.stderr.write(
    `siglip-hd: The dependencies are not installed: run npm ci in ${path.dirname(__dirname)}.\n`,
  );
  process.exit(1);
}
if (!existsSync(main) && existsSync(build)) {
  const { status, signal } = spawnSync(process.execPath, [build], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 128 + constants.signals[signal]);
}
void import(pathToFileURL(main).href);
