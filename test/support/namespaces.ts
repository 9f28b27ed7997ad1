import { type Finished, runProgram } from './external.ts';

/** Runs a shell script in new namespaces of the kernel, `unshare`'s flags, as a user who is root inside them. */
export function runUnshared(
  flags: string,
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return runProgram('unshare', [flags, 'sh', '-c', script], environment);
}

/** Why such a script cannot be run here, or undefined. */
export async function missingNamespaces(flags: string): Promise<string | undefined> {
  const { exitCode, stderr } = await runUnshared(flags, 'true');
  return exitCode === 0 ? undefined : `unshare ${flags} does not work here: ${stderr.trim()}`;
}
