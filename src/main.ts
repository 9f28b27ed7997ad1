import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { bench } from './cli/bench.ts';
import type { CreateEncoder } from './cli/command-encoder.ts';
import { dispatch, type Parts } from './cli/dispatch.ts';
import { remoteConfig } from './cli/settings/remote-settings.ts';
import { readMachine } from './cli/settings/machine.ts';
import type { StopSignal } from './cli/terminal.ts';
import type { Encoder } from './encoding/encoder.ts';
import type { Model } from './model/model.ts';
import { requireAddressSpace } from './threads/address-space.ts';

const { env } = process;
const parts: Parts = {
  version: readVersion(),
  async serve() {
    // Optimising code that runs only during the start costs more than it saves, above all Node's parser of CommonJS exports in each
    // thread. When the start ends, V8 optimises again, even if node was given --no-opt.
    setFlagsFromString('--no-opt');
    const { startService } = await import('./service.ts');
    const { openTracing } = await import('./telemetry/open-tracing.ts');
    return {
      async startService(settings, logger, onLoss, stopping) {
        const tracing = await openTracing(env, parts.version, logger);
        const config = {
          ...settings,
          remote: remoteConfig(settings),
          stopping,
          version: parts.version,
          tracing,
        };
        return await startService(config, logger, onLoss).finally(() => setFlagsFromString('--opt'));
      },
      kill,
      wait: (waitMs, signal) => wait(waitMs, undefined, { signal }),
    };
  },
  async import() {
    const { importModel } = await import('./model/import/import-model.ts');
    const { calibrationPictures, calibrationViews } = await import('./cli/import/calibration-views.ts');
    return {
      async importModel({ minCosine, calibrates, onChosen, ...options }) {
        const { exportExaminer } = await import('./inference/examine-export.ts');
        const examiner = exportExaminer(readMachine(env).cores);
        if (options.precision !== 'int8') return importModel({ ...options, examiner });
        requireAddressSpace(1);
        const { graphRunner } = await import('./inference/onnx-session.ts');
        const calibration = {
          minCosine,
          onChosen,
          pictures: calibrationPictures(calibrates),
          views: (model: Model) => calibrationViews(calibrates, model),
          run: graphRunner(readMachine(env).cores),
        };
        return importModel({ ...options, examiner, calibration });
      },
      async fetchCheckpoint(repository, { out, force, ...options }) {
        const { readHubAccess } = await import('./model/import/hub/access.ts');
        const { fetchCheckpoint } = await import('./model/import/hub/fetch-checkpoint.ts');
        const { checkConfiguration } = await import('./model/import/import-checkpoint.ts');
        const { requireFree, requireWritable } = await import('./model/import/publish-folder.ts');
        // Refuses before the download what would be refused after it.
        await requireFree(resolve(out), force);
        await requireWritable(out);
        const access = readHubAccess(env);
        const onConfiguration = (folder: string) => checkConfiguration(folder, options.part);
        return fetchCheckpoint(repository, { ...options, access, onConfiguration });
      },
      peakRssBytes: () => process.resourceUsage().maxRSS * 1024,
    };
  },
  async encode() {
    const { encodeFiles } = await import('./cli/encode/encode.ts');
    const { requireProjector } = await import('./model/require-projector.ts');
    return {
      encodeFiles,
      requireProjector,
      createEncoder,
      env,
      readStdin,
      wait: (waitMs, signal) => wait(waitMs, undefined, { signal }),
    };
  },
  async compare() {
    const { compareModels } = await import('./cli/compare/compare.ts');
    const { heatMapFile } = await import('./cli/compare/heat-map.ts');
    return { compareModels, createEncoder, heatMapFile, readStdin };
  },
  exportTriton: async () => (await import('./cli/export-triton.ts')).exportTriton,
  bench: (args) => bench(args, new URL('../bench/main.js', import.meta.url)),
};

async function createEncoder(
  ...[config, logger, observer = {}]: Parameters<CreateEncoder<never>>
): Promise<Encoder> {
  const { Encoder } = await import('./encoding/encoder.ts');
  return await Encoder.open(config, observer, logger, () => {});
}

async function readStdin(): Promise<string> {
  return await text(process.stdin);
}

/** Reads package.json, which is beside src in a clone and beside build in both. */
function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}

/** Ends the process even if a thread is in a native call that does not return. */
function kill(): void {
  process.kill(process.pid, 'SIGKILL');
  // Process 1 of a container cannot be killed from inside it, but it can abort.
  process.abort();
}

/** Dies of the signal. process.exit would wait for a native call that runs in a worker. */
function exitAtOnce(signal: StopSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // Process 1 of a container ignores a signal without a listener.
  process.exit(128 + constants.signals[signal]);
}

// A reader that has seen enough, as in `siglip-hd --help | head`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

// Lets garbage grow to five times the live heap before V8 collects it (docs/decisions/0004-garbage.md).
setFlagsFromString('--heap-growing-percent=400');
const { stdout, stderr } = process;
const args = process.argv.slice(2);
const terminal = { stdout, stderr, signals: process, now: () => performance.now(), exitAtOnce };
process.exit(await dispatch({ args, env, machine: readMachine(env) }, terminal, parts));
