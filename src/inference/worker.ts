// The engine's thread: opens the model, then runs batches in the order they arrive.
import { parentPort, workerData } from 'node:worker_threads';
import { OnnxSession } from './onnx-session.ts';
import type { RunRequest, WorkerReply, WorkerRequest, WorkerStart } from './worker-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('worker.js is the entry of a worker thread');

const reply = (message: WorkerReply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const reasonOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));

async function run(session: OnnxSession, { id, input, views, outputs }: RunRequest): Promise<void> {
  try {
    const { tokens, finite, engineMs, idleMs } = await session.run(input, views, outputs);
    reply(
      { kind: 'ran', id, tokens, finite, engineMs, idleMs },
      Object.values(tokens).map(({ buffer }) => buffer),
    );
  } catch (thrown) {
    reply({ kind: 'run-failed', id, reason: reasonOf(thrown) });
  }
}

try {
  const session = await OnnxSession.open(workerData as WorkerStart);
  let last = Promise.resolve();
  let closing = false;
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'run') {
      last = last.then(() => (closing ? undefined : run(session, request)));
      return;
    }
    closing = true;
    port.close();
    void last.then(() => session.close());
  });
  reply({ kind: 'started' });
} catch (thrown) {
  reply({ kind: 'start-failed', reason: reasonOf(thrown) });
}
