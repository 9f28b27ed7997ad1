import type { ComparisonOutcome } from './comparison-outcome.ts';
import type { Paint } from './paint.ts';

/** Tokens that similarity is measured to, by their indices in a panel's answer. */
export interface PickedTokens {
  readonly id: number;
  readonly positive: readonly number[];
  readonly negative: readonly number[];
}

/** What the page asks of the worker. A panel's tokens have the panel's id. */
export type Task =
  | { readonly kind: 'put'; readonly id: number; readonly bytes: ArrayBuffer; readonly channels: number }
  | { readonly kind: 'drop'; readonly id: number }
  | { readonly kind: 'components'; readonly ids: readonly number[] }
  | { readonly kind: 'norms'; readonly ids: readonly number[] }
  | {
      readonly kind: 'similarity';
      readonly picked: readonly PickedTokens[];
      readonly threshold: number | undefined;
    }
  | {
      readonly kind: 'compare';
      readonly pair: readonly [number, number];
      readonly shows: 'cosine' | 'difference';
    };

/** The colours of some panels. */
export interface Painted {
  readonly paints: ReadonlyMap<number, Paint>;
  /** What the ends of the colours stand for, over all panels; undefined for components. */
  readonly scale: readonly [least: number, most: number] | undefined;
}

export interface TaskResults {
  readonly put: undefined;
  readonly drop: undefined;
  readonly components: Painted;
  readonly norms: Painted;
  readonly similarity: Painted;
  readonly compare: ComparisonOutcome;
}

export interface TaskMessage {
  readonly number: number;
  readonly task: Task;
}

export type ResultMessage =
  | { readonly number: number; readonly result: TaskResults[Task['kind']] }
  | { readonly number: number; readonly error: string };
