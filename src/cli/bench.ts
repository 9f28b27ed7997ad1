import { ServiceError } from '../errors/service-error.ts';
import type { ExitCode } from './exit-code.ts';

/** bench/main.ts, which is not in a production package. */
interface BenchModule {
  readonly main: (args: readonly string[]) => Promise<ExitCode>;
}

/** Runs the benchmark. Rejects with `failed_precondition` if it was not built. */
export async function bench(args: readonly string[], moduleUrl: URL): Promise<ExitCode> {
  const { main } = await load(moduleUrl);
  return await main(args);
}

async function load(moduleUrl: URL): Promise<BenchModule> {
  try {
    return (await import(moduleUrl.href)) as BenchModule;
  } catch (error) {
    if (!isMissing(error, moduleUrl)) throw error;
    throw new ServiceError(
      'failed_precondition',
      'The benchmark is not in the installed package: run npm run bench in a clone of the repository.',
      { cause: error },
    );
  }
}

/** Whether the benchmark itself is missing, rather than a module that it imports. */
function isMissing(error: unknown, moduleUrl: URL): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    'url' in error &&
    error.url === moduleUrl.href
  );
}
