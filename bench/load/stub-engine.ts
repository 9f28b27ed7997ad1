// The engine's thread of a stub model: it waits as long as the model's graph file says, and computes nothing. It fails
// as the first engine to find a fault file in the model folder.
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { dtypeOf, type PerOutput } from '../../src/model/graph-io.ts';
import type {
  RunRequest,
  WorkerReply,
  WorkerRequest,
  WorkerStart,
} from '../../src/inference/worker-protocol.ts';
import { batchMsOf, type EngineFault, engineFaults, faultFile, type StubGraph } from './stub-model.ts';

const port = parentPort;
if (port === null) throw new Error('stub-engine.js is the entry of a worker thread');
const { folder, graphs } = workerData as WorkerStart;
const graph = JSON.parse(readFileSync(join(folder, graphs[0]!), 'utf8')) as StubGraph;
const bytesOf = { float16: 2, float32: 4 } as const;
const nobodyWakesIt = new Int32Array(new SharedArrayBuffer(4));

/** Whether this engine gives tokens that are not finite from now on. */
let isBroken = false;

/** The fault that this engine is to have, if it is the first to find it. */
function takeFault(): EngineFault | undefined {
  return engineFaults.find((fault) => {
    try {
      unlinkSync(join(folder, faultFile(fault)));
      return true;
    } catch {
      return false;
    }
  });
}

function run({ id, views, outputs }: RunRequest): void {
  const fault = takeFault();
  if (fault === 'exit') process.exit(3);
  if (fault === 'hang') Atomics.wait(nobodyWakesIt, 0, 0);
  if (fault === 'not finite') isBroken = true;
  const start = performance.now();
  const tokens: PerOutput<Uint8Array<ArrayBuffer>> = {};
  const finite: PerOutput<readonly boolean[]> = {};
  for (const output of outputs) {
    // Written to, as tokens are: memory that nobody touches is not resident.
    tokens[output] = new Uint8Array(views * graph.values * bytesOf[dtypeOf(output)]).fill(1);
    finite[output] = Array.from({ length: views }, () => !isBroken);
  }
  // A native call blocks its thread as well; and a timer would be late by what else the thread does.
  const leftMs = batchMsOf(graph, views) - (performance.now() - start);
  if (leftMs > 0) Atomics.wait(nobodyWakesIt, 0, 0, leftMs);
  const reply: WorkerReply = { kind: 'ran', id, tokens, finite, engineMs: performance.now() - start };
  port!.postMessage(
    reply,
    Object.values(tokens).map(({ buffer }) => buffer),
  );
}

port.on('message', (request: WorkerRequest) => {
  if (request.kind === 'run') run(request);
  else port.close();
});
port.postMessage({ kind: 'started' } satisfies WorkerReply);
