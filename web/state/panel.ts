import type { TokenLayer } from '../geometry/token-layers.ts';
import type { Choice } from '../service/choice.ts';
import type { Encoded } from '../service/encode.ts';
import type { Failure } from '../service/failure.ts';
import type { PlanAnswer } from '../service/metadata.ts';

/** What an answer was, without its tokens, which the worker has. */
export type Answer = Omit<Encoded, 'tokens'> & { readonly layers: readonly TokenLayer[] };

/** A model and a recipe beside others, and what they gave for the picture. */
export interface Panel {
  readonly id: number;
  readonly choice: Choice;
  readonly progress: 'idle' | 'planning' | 'encoding' | 'done' | 'failed';
  readonly plan: PlanAnswer | undefined;
  readonly answer: Answer | undefined;
  readonly failure: Failure | undefined;
  /** Index of the layer of tokens that is shown; the last if there are fewer. */
  readonly layer: number;
}

export function newPanel(id: number, choice: Choice): Panel {
  return {
    id,
    choice,
    progress: 'idle',
    plan: undefined,
    answer: undefined,
    failure: undefined,
    layer: Number.MAX_SAFE_INTEGER,
  };
}

/** The layer of tokens that a panel shows. */
export function shownLayer({ answer, layer }: Panel): TokenLayer | undefined {
  return answer?.layers[Math.min(layer, answer.layers.length - 1)];
}
