// `siglip-hd serve` with the stub engine in place of ONNX Runtime: settings, signals and drain are the command's own.
import { setTimeout as wait } from 'node:timers/promises';
import { dispatch, type Parts } from '../../src/cli/dispatch.ts';
import { readMachine } from '../../src/cli/settings/machine.ts';
import { setFlagsFromString } from 'node:v8';
import { startService } from '../../src/service.ts';

const engineScript = new URL('./stub-engine.js', import.meta.url);
const isNone = (): never => {
  throw new Error('the stub only serves');
};
const parts: Parts = {
  version: 'stub',
  serve: async () => ({
    startService: (settings, logger, onLoss) => startService({ ...settings, engineScript }, logger, onLoss),
    wait: (waitMs, signal) => wait(waitMs, undefined, { signal }),
    kill: () => process.kill(process.pid, 'SIGKILL'),
  }),
  import: isNone,
  encode: isNone,
  compare: isNone,
  exportTriton: isNone,
  bench: isNone,
};

// As src/main.ts does.
setFlagsFromString('--heap-growing-percent=400');
const { env, stdout, stderr } = process;
const terminal = {
  stdout,
  stderr,
  signals: process,
  now: () => performance.now(),
  exitAtOnce: () => process.exit(1),
};
const args = ['serve', ...process.argv.slice(2)];
process.exit(await dispatch({ args, env, machine: readMachine(env) }, terminal, parts));
