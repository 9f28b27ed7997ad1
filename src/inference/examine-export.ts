import { fork } from 'node:child_process';
import { ServiceError } from '../errors/service-error.ts';
import type { ExportExaminer } from '../model/import/onnx/export-examiner.ts';
import { ExportProblem } from '../model/import/onnx/export-problem.ts';
import type { ExportFinding, ExportTask } from './export-process.ts';

/** Examines exports, each in a process of its own with so many threads. Tests run another `script`. */
export function exportExaminer(
  threads: number,
  script = new URL('./export-process.js', import.meta.url),
): ExportExaminer {
  return {
    readWeights: (path, signal) => ask(script, { kind: 'weights', path }, signal),
    tryGraph: (path, geometry, signal) => ask(script, { kind: 'try', path, geometry, threads }, signal),
  };
}

async function ask<Value>(script: URL, task: ExportTask, signal: AbortSignal | undefined): Promise<Value> {
  const child = fork(script, {
    execArgv: [],
    env: { ORT_DISABLE_TELEMETRY: '1', ...process.env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
  const finding = await new Promise<ExportFinding<Value>>((resolve, reject) => {
    let answer: ExportFinding<Value> | undefined;
    child.once('message', (message) => {
      answer = message as ExportFinding<Value>;
    });
    const cancelled = new ServiceError('cancelled', 'The import was cancelled.');
    child.once('error', (error) => reject(signal?.aborted ? cancelled : error));
    child.once('exit', (exitCode, killer) => {
      const message = `crashes the process that reads it (${killer ?? `exit code ${exitCode}`})`;
      // A terminal interrupts all its processes, so the child may end before the signal fires.
      if (killer === 'SIGINT' || killer === 'SIGTERM') reject(cancelled);
      else resolve(answer ?? { kind: 'problem', message });
    });
    // If the child has ended by then, 'exit' reports it.
    child.send(task, () => undefined);
  });
  if (finding.kind === 'problem') throw new ExportProblem(finding.message);
  return finding.value;
}
