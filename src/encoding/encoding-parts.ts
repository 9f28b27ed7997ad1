import type { Budget } from '../admission/budget.ts';
import type { ViewBudget } from '../admission/view-budget.ts';
import type { ReadSize, RequireSize } from '../image/read-size.ts';
import type { ViewPool } from '../image/view-pool.ts';
import type { ServedModel } from '../inference/served-model.ts';
import type { TokenPool } from '../tokens/token-pool.ts';
import type { RemoteCache } from './cache/remote-cache.ts';
import type { TokenCache } from './cache/token-cache.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { SingleFlight } from './single-flight.ts';

/** A model, the batcher that its views join, and its projector if it has one. */
export type EncodingModel = Pick<ServedModel, 'model' | 'batcher' | 'projector'>;

/** Everything that a request uses between its images and its tokens. */
export interface EncodingParts {
  /** The served models, the default first. */
  readonly served: readonly EncodingModel[];
  /** The served model for TeacherEncode requests that name none; the default when absent. */
  readonly teacher?: string | undefined;
  readonly cache: TokenCache;
  /** Used for images that `cache` does not have. */
  readonly remoteCache?: RemoteCache | undefined;
  /** Whether callers share cached tokens. */
  readonly shareCache: boolean;
  readonly flights: SingleFlight<EncodedImage>;
  readonly viewBudget: ViewBudget;
  /** Bounds the bytes of all answers that are planned and not yet read. */
  readonly answerBudget: Budget;
  readonly maxAnswerBytes: number;
  readonly readSize: ReadSize;
  /** Refuses the same sizes as `readSize`, for requests that are only planned. */
  readonly requireSize: RequireSize;
  readonly viewPool: ViewPool;
  readonly tokenPool: Pick<TokenPool, 'assemble' | 'bfloat16' | 'join'>;
  /** Milliseconds, as by performance.now(). */
  readonly now: () => number;
}
