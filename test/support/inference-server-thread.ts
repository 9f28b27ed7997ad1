// An InferenceServer on a thread of its own, whose CPU time is not the main thread's. Its workerData are the server's options and
// `viewMs`: how long its engine, which runs one batch at a time, takes for a view.
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceServer, type InferenceServerOptions } from './inference-server.ts';

const { viewMs = 0, ...options } = workerData as InferenceServerOptions & { readonly viewMs?: number };
const server = await InferenceServer.start(options);
let free = Promise.resolve();
server.hold = () => {
  const batchMs = server.batches.at(-1)! * viewMs;
  free = free.then(() => wait(batchMs));
  return free;
};
parentPort?.postMessage(server.port);
