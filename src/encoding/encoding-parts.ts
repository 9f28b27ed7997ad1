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

/** A model and the batcher that its views join. */
export type EncodingModel = Pick<ServedModel, 'model' | 'batcher'>;

/** Everything that a request passes through, from its images to its tokens. */
export interface EncodingParts {
  /** The default first. */
  readonly served: readonly EncodingModel[];
  /** The served model that teaches where a request names none; the default when absent. */
  readonly teacher?: string | undefined;
  readonly cache: TokenCache;
  /** Asked for what `cache` does not have. */
  readonly remoteCache?: RemoteCache | undefined;
  /** Whether tokens that one caller had encoded may answer another. */
  readonly shareCache: boolean;
  readonly flights: SingleFlight<EncodedImage>;
  readonly viewBudget: ViewBudget;
  /** Holds the bytes of every answer from its plan until its caller has read it. */
  readonly answerBudget: Budget;
  readonly maxAnswerBytes: number;
  readonly readSize: ReadSize;
  /** Refuses what `readSize` refuses, of sizes that are only planned. */
  readonly requireSize: RequireSize;
  readonly viewPool: ViewPool;
  readonly tokenPool: Pick<TokenPool, 'assemble' | 'bfloat16'>;
  /** Milliseconds, as by performance.now(). */
  readonly now: () => number;
}
