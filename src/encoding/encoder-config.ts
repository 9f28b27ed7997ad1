import type { Caller } from '../admission/caller.ts';
import type { Device } from '../inference/worker-protocol.ts';
import type { ModelSource } from '../model/model-source.ts';

/** What an encoder is made of. */
export interface EncoderConfig {
  /** The first is the default; with none, the embedded default is served. */
  readonly models: readonly ModelSource[];
  /** Holds the embedded default; not needed where models are given. */
  readonly cacheDir?: string | undefined;
  readonly device: Device;
  readonly threads: number;
  /** The batch to use; 0 has it follow from the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  /** The longest that a batch may take before the engine counts as stuck. */
  readonly engineTimeoutMs: number;
  /** What an engine's thread runs in place of ONNX Runtime: a benchmark's stand-in of known times. */
  readonly engineScript?: URL | undefined;
  readonly viewThreads: number;
  /** Images held as pixels at one time. */
  readonly decodeConcurrency: number;
  readonly maxPixels: number;
  /** Of all images held as pixels at one time. */
  readonly maxRasterBytes: number;
  readonly maxQueuedViews: number;
  readonly maxAnswerBytes: number;
  /** Of tokens that are kept for the next request of the same image; 0 keeps none. */
  readonly cacheBytes: number;
  /** Whether tokens that one caller had encoded may answer another. */
  readonly shareCache: boolean;
  /** A cache that several services share; none when absent. */
  readonly redisUrl?: string | undefined;
  readonly redisTimeoutMs?: number;
  readonly redisKeepMs?: number;
  /** Of answers from their plan until they are read. */
  readonly maxUnreadBytes: number;
  /** The served model that TeacherEncode uses where a request names none; the default when absent. */
  readonly teacher?: string | undefined;
  readonly requestTimeoutMs: number;
  /** Everyone that has a share of the budgets; nobody when absent. */
  readonly callers?: () => readonly Caller[];
}
