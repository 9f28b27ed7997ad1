// An engine's thread that does what the first byte of a batch's views tells it to, and otherwise answers tokens whose
// first byte is that byte.
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import type { RunRequest, WorkerReply, WorkerRequest } from '../../src/inference/worker-protocol.ts';

/**
 * First bytes of views that bring about a fault. `hang` could be interrupted by V8, `hangInNative` by nothing: it
 * opens the FIFO that HANG_FIFO names, which nobody writes to. Black views, as those of the warm-up, count as
 * FIRST_VIEW.
 */
export const faults = { exit: 201, throw: 202, notFinite: 203, hang: 204, hangInNative: 205 } as const;

/** Faults of one engine: the first that gets such a view fails with it, and the others run it. */
export const engineFaults = { exit: 211, notFinite: 213, hang: 214 } as const;

/** Of siglip-tiny: 1,024 tokens of 32 channels, in float16. */
const viewBytes = 1024 * 32 * 2;

const port = parentPort;

/** Whether this engine has begun to give tokens that are not finite. */
let isBroken = false;

/** Whether this engine is the first to get a view of that level. It needs the folder that FAULT_FOLDER names. */
function isFirst(level: number): boolean {
  try {
    mkdirSync(join(process.env['FAULT_FOLDER']!, String(level)));
    return true;
  } catch {
    return false;
  }
}

const reply = (message: WorkerReply) => port?.postMessage(message);

function run({ id, input, views }: RunRequest): void {
  const firsts = Array.from({ length: views }, (_, index) => input[(index * input.byteLength) / views]!).map(
    (first) => first || Number(process.env['FIRST_VIEW'] ?? 0),
  );
  const has = (fault: keyof typeof engineFaults) =>
    firsts.includes(faults[fault]) || (firsts.includes(engineFaults[fault]) && isFirst(engineFaults[fault]));
  if (has('exit')) process.exit(3);
  if (firsts.includes(engineFaults.notFinite) && isFirst(engineFaults.notFinite)) isBroken = true;
  if (has('hang')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (firsts.includes(faults.hangInNative)) openSync(process.env['HANG_FIFO']!, 'r');
  if (firsts.includes(faults.throw)) {
    reply({ kind: 'run-failed', id, reason: 'Non-zero status code returned while running a node' });
    return;
  }
  const tokens = new Uint8Array(views * viewBytes);
  for (const [index, first] of firsts.entries())
    tokens.fill(first, index * viewBytes, (index + 1) * viewBytes);
  const finite = firsts.map((first) => first !== faults.notFinite && !isBroken);
  reply({
    kind: 'ran',
    id,
    tokens: { float16: tokens },
    finite: { float16: finite, float32: finite },
    engineMs: 5,
  });
}

port?.on('message', (request: WorkerRequest) => {
  if (request.kind === 'run') run(request);
  else port.close();
});
reply({ kind: 'started' });
