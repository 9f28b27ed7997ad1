import type { Size } from '../recipes/plan.ts';

/** What turns a tower's features, [n, channels], into a language model's embeddings, [n', hiddenSize]. */
export interface Projector {
  /** Name of its family in model/import/families. */
  readonly family: string;
  /** `sha256:` and 64 hex digits, over its maths and its weights as the checkpoint has them, newline included. */
  readonly digest: string;
  /** Width of the language model. */
  readonly hiddenSize: number;
  /** Embeddings of one view; the model's own grid where it works row by row. */
  readonly grid: Size;
  /** Whether it works row by row, so that any number of rows can be projected. */
  readonly anyGrid: boolean;
  /** Whether newline.bin is there: one more row after each line of an AnyRes map. */
  readonly newline: boolean;
}
