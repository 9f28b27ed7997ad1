// A thread of a worker pool: runs the tasks that the module in its data exports.
import { parentPort, workerData } from 'node:worker_threads';
import { failedOutcome, type MovedOutcome, type TaskRequest, threadStarted } from './task-outcome.ts';

type Task = (task: unknown) => Promise<MovedOutcome>;

const port = parentPort!;
const tasks = (await import(String(workerData))) as Readonly<Record<string, Task>>;

function answer(id: number, { outcome, buffers }: MovedOutcome): void {
  try {
    port.postMessage({ id, outcome }, [...buffers]);
  } catch (thrown) {
    port.postMessage({ id, outcome: failedOutcome(thrown).outcome });
  }
}

port.on('message', ({ id, name, task }: TaskRequest) => {
  void tasks[name]!(task).then(
    (moved) => answer(id, moved),
    (thrown: unknown) => answer(id, failedOutcome(thrown)),
  );
});
port.postMessage(threadStarted);
