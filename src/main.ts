import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { bench } from './commands/bench.ts';
import { dispatch, type Parts } from './commands/dispatch.ts';
import type { EncodeParts } from './commands/encode.ts';
import type { ImportParts } from './commands/import.ts';
import type { ServeParts } from './commands/serve.ts';
import type { StopSignal } from './commands/stop-signals.ts';
import { readMachine } from './config/machine.ts';
import type { AnswerMetadata } from './request.ts';
import type { TokenTensor } from './tokens/tensor.ts';

interface TokenFormats {
  readonly tokenFile: (
    format: 'npy' | 'safetensors',
    tensor: TokenTensor,
    metadata: AnswerMetadata,
  ) => {
    readonly body:
      | { readonly kind: 'buffers'; readonly buffers: readonly Uint8Array[] }
      | { readonly kind: 'slices'; readonly slices: Iterable<Uint8Array> };
  };
}

const parts: Parts = {
  version: readVersion(),
  async serve() {
    const { startService } = await load<Pick<ServeParts, 'startService'>>('./service.js');
    return { startService, wait: (waitMs, signal) => wait(waitMs, undefined, { signal }) };
  },
  async import() {
    const { importModel } = await load<Pick<ImportParts, 'importModel'>>('./model/import.js');
    return { importModel, peakRssBytes: () => process.resourceUsage().maxRSS * 1024 };
  },
  async encode() {
    const { createEncoder } = await load<Pick<EncodeParts, 'createEncoder'>>('./service.js');
    const { metadataJson } = await load<Pick<EncodeParts, 'metadataJson'>>('./tokens/metadata.js');
    const { tokenFile } = await load<TokenFormats>('./tokens/format.js');
    return {
      createEncoder,
      metadataJson,
      fileOf(format, { tensor, metadata }) {
        const { body } = tokenFile(format, tensor, metadata);
        return body.kind === 'buffers' ? body.buffers : body.slices;
      },
    };
  },
  bench: (args) => bench(args, new URL('../bench/main.js', import.meta.url)),
};

async function load<T>(path: string): Promise<T> {
  return (await import(path)) as T;
}

/** package.json is beside src in a clone and beside build in both. */
function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}

/** Dies of the signal, as if nobody listened: process.exit would wait for a native call that runs in a worker. */
function exitAtOnce(signal: StopSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // Process 1 of a container ignores a signal that it does not listen for.
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

// A reader that has seen enough, as in `siglip-hd --help | head`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const { env, stdout, stderr } = process;
const args = process.argv.slice(2);
const terminal = { stdout, stderr, signals: process, now: () => performance.now(), exitAtOnce };
process.exit(await dispatch({ args, env, machine: readMachine(env) }, terminal, parts));
