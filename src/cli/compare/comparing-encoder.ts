import type { Logger } from 'pino';
import { type EncoderConfig, noTimeoutMs } from '../../encoding/encoder-config.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import type { DecodeOptions } from '../../image/decode.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { HeatMap } from './heat-map.ts';
import type { Picture } from './picture-files.ts';

export type ComparingEncoder = Pick<VisualEncoder, 'encode' | 'plan' | 'models'>;

export interface OpenedEncoder {
  readonly encoder: ComparingEncoder;
  close(): Promise<void>;
}

export interface CompareParts {
  /** Opens the pipeline in this process, without transports; `onBatch` is called for each run of an engine. */
  readonly createEncoder: (
    config: EncoderConfig,
    logger: Logger,
    onBatch: (batch: { readonly views: number; readonly engineMs: number }) => void,
  ) => Promise<OpenedEncoder>;
  /** heatMapFile of src/cli/compare/heat-map.ts. */
  readonly heatMapFile: (bytes: Uint8Array, options: DecodeOptions, map: HeatMap) => Promise<Uint8Array>;
  /** thumbnailFile of src/cli/compare/picture-files.ts. */
  readonly thumbnailFile: (bytes: Uint8Array, options: DecodeOptions) => Promise<Uint8Array>;
  /** pictureFile of src/cli/compare/picture-files.ts. */
  readonly pictureFile: (picture: Picture) => Promise<Uint8Array>;
  /** All of stdin. */
  readonly readStdin: () => Promise<string>;
  readonly logger: Logger;
}

/** One view at a time, so that nothing competes for cores while an engine is timed. */
export function encoderConfig(
  models: EncoderConfig['models'],
  { device, threads, maxPixels }: Pick<CompareSettings, 'device' | 'threads' | 'maxPixels'>,
): EncoderConfig {
  return {
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
    maxQueuedViews: 64,
    maxAnswerBytes: Number.POSITIVE_INFINITY,
    cacheBytes: 0,
    shareCache: false,
    maxUnreadBytes: Number.POSITIVE_INFINITY,
    requestTimeoutMs: noTimeoutMs,
  };
}
