import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. An exit code of null says that it could not be started or was killed. */
export function runProgram(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: { ...process.env, ...environment } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', (error) => resolve({ exitCode: null, stdout, stderr: error.message }));
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** Skips a test for what is not there, and says so on stderr too; with REQUIRE_EXTERNAL=1 it fails instead. */
export function skipFor(lack: string, t: TestContext): void {
  if (process.env.REQUIRE_EXTERNAL === '1') throw new Error(`REQUIRE_EXTERNAL=1, and ${lack}`);
  console.error(`\n*** SKIPPED "${t.name}": ${lack} ***\n`);
  t.skip(lack);
}

/**
 * A test that needs something from outside the repository. Where `missing` says what is not there, it is
 * skipped as by `skipFor`.
 */
export function externalTest(
  title: string,
  missing: () => Promise<string | undefined>,
  body: (t: TestContext) => Promise<void>,
): void {
  test(title, async (t) => {
    const lack = await missing();
    return lack === undefined ? body(t) : skipFor(lack, t);
  });
}
