import type { EncoderConfig } from '../../encoding/encoder-config.ts';
import type { Encoder } from '../../encoding/encoder.ts';
import { commandLimits, useEncoder } from '../command-encoder.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { Run } from './comparison-run.ts';

/** Runs `work` with an encoder of these models, whose batches are timed; then closes it. */
export async function withEncoder<T>(
  { parts, settings, times, signal }: Run,
  models: EncoderConfig['models'],
  work: (encoder: Pick<Encoder, 'models' | 'encode'>) => Promise<T>,
): Promise<T> {
  const config = encoderConfig(models, settings);
  const opening = parts.createEncoder(config, parts.logger, { observeBatch: (batch) => times.add(batch) });
  return await useEncoder(opening, signal, work);
}

/** One view at a time, so that nothing competes for cores while an engine is timed. */
export function encoderConfig(
  models: EncoderConfig['models'],
  { device, threads, maxPixels }: Pick<CompareSettings, 'device' | 'threads' | 'maxPixels'>,
): EncoderConfig {
  return {
    ...commandLimits,
    models,
    device,
    engines: 1,
    threads,
    maxBatch: 1,
    warmUpMs: 1000,
    engineTimeoutMs: 3_600_000,
    viewThreads: 1,
    decodeConcurrency: 1,
    maxPixels,
    maxRasterBytes: Number.POSITIVE_INFINITY,
  };
}
