// An engine's thread that starts, and dies of the first batch that it is given.
import { parentPort } from 'node:worker_threads';
import type { WorkerReply } from '../../src/inference/worker-protocol.ts';

parentPort?.on('message', () => process.exit(3));
parentPort?.postMessage({ kind: 'started' } satisfies WorkerReply);
