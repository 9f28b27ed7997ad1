import { fork } from 'node:child_process';
import { ServiceError } from '../errors/service-error.ts';
import type { ExportExaminer, Finding } from '../model/import/onnx/export-examiner.ts';
import type { ExportTask } from './export-process.ts';

/** Examines exports in processes of their own. `threads` are those of ONNX Runtime. Tests run another `script`. */
export function exportExaminer(
  threads: number,
  script = new URL('./export-process.js', import.meta.url),
): ExportExaminer {
  return {
    readWeights: (path, signal) => ask(script, { kind: 'weights', path }, signal),
    tryGraph: (path, geometry, signal) => ask(script, { kind: 'try', path, geometry, threads }, signal),
  };
}

async function ask<Value>(
  script: URL,
  task: ExportTask,
  signal: AbortSignal | undefined,
): Promise<Finding<Value>> {
  const child = fork(script, {
    execArgv: [],
    env: { ORT_DISABLE_TELEMETRY: '1', ...process.env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
  return await new Promise((resolve, reject) => {
    let finding: Finding<Value> | undefined;
    child.once('message', (message) => {
      finding = message as Finding<Value>;
    });
    child.once('error', (error) => {
      reject(
        signal?.aborted === true
          ? new ServiceError('cancelled', 'The import was cancelled.')
          : ServiceError.from(error),
      );
    });
    child.once('exit', (exitCode, killer) => {
      const end = killer ?? `exit code ${exitCode}`;
      resolve(finding ?? { kind: 'refused', problem: `ends the process that reads it (${end})` });
    });
    // A process that has ended by then is told of by 'exit'.
    child.send(task, () => undefined);
  });
}
