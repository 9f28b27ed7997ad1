import type { Caller } from '../admission/caller.ts';
import type { RemoteAccess } from '../inference/remote/access.ts';
import type { Endpoint } from '../inference/remote/endpoint.ts';
import type { Devices } from '../inference/devices.ts';
import type { EmbeddedName } from '../model/model.ts';
import type { ModelSource } from '../model/model-source.ts';

/** The servers that run models. */
export interface RemoteConfig {
  /** Each with the name of its model. */
  readonly engines: readonly { readonly model: string; readonly endpoint: Endpoint }[];
  readonly access: RemoteAccess;
  /** How many batches a server runs at one time. */
  readonly parallel: number;
}

/** A `requestTimeoutMs` where no other caller waits behind a request: the longest that a timer can run. */
export const noTimeoutMs = 2 ** 31 - 1;

/** The settings of an encoder. */
export interface EncoderConfig {
  /** The served models, the default first. When empty, embedded models are served. */
  readonly models: readonly ModelSource[];
  /** Which of the embedded models; all when absent. */
  readonly embedded?: readonly EmbeddedName[];
  /** Holds the embedded models; not needed where models are given. */
  readonly cacheDir?: string | undefined;
  readonly device: Devices;
  /** Engines of a model on each device. */
  readonly engines: number;
  /** Threads of one engine on a CPU. */
  readonly threads: number;
  /** Whether engines on the CPU share their weights in memory. */
  readonly shareWeights?: boolean;
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  /** When it fires, the start begins with no other model or measurement, and waits for no server. */
  readonly stopping?: AbortSignal | undefined;
  /** How long a batch may take before the engine counts as stuck. */
  readonly engineTimeoutMs: number;
  /** Servers that run models in place of engines of this process; none when absent. */
  readonly remote?: RemoteConfig | undefined;
  /** The script of an engine's thread, for benchmarks that replace ONNX Runtime. */
  readonly engineScript?: URL | undefined;
  readonly viewThreads: number;
  /** The most images held as pixels at one time. */
  readonly decodeConcurrency: number;
  readonly maxPixels: number;
  /** The most bytes of images held as pixels at one time. */
  readonly maxRasterBytes: number;
  readonly maxQueuedViews: number;
  readonly maxAnswerBytes: number;
  /** The size of the token cache; 0 for none. */
  readonly cacheBytes: number;
  /** Whether callers share cached tokens. */
  readonly shareCache: boolean;
  /** The cache that several services share; none when absent. */
  readonly redisUrl?: string | undefined;
  readonly redisTimeoutMs?: number;
  readonly redisKeepMs?: number;
  /** The most bytes of answers that are planned and not yet read. */
  readonly maxUnreadBytes: number;
  /** The served model for TeacherEncode requests that name none; the default when absent. */
  readonly teacher?: string | undefined;
  readonly requestTimeoutMs: number;
  /** The callers that have a share of the budgets; none when absent. */
  readonly callers?: () => readonly Caller[];
}
