#!/usr/bin/env node
// The command. In a fresh checkout it compiles the sources first; in an installed package they are compiled.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../build/src/main.js', import.meta.url);
const build = new URL('../scripts/build.js', import.meta.url);
if (!existsSync(main) && existsSync(build)) {
  const { status } = spawnSync(process.execPath, [fileURLToPath(build)], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
await import(main.href);
