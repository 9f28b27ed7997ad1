import type { Size } from '../../src/recipes/plan.ts';

export const recipes = ['encode', 'teacher', 'anyres'] as const;
export type Recipe = (typeof recipes)[number];

/** What the service says of an answer, as far as the page reads it; `tokens-meta` and /v1/plan carry it. */
export interface Metadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly recipe: Recipe;
  readonly output: 'features' | 'embeddings' | 'pooled';
  readonly features: string;
  /** Whether the class token precedes the patches' tokens. */
  readonly class_token?: true;
  readonly precision: string;
  /** [channels] of a pooled vector, which has no tokens. */
  readonly shape: readonly number[];
  /** Tokens across and down; for anyres, of the base view. */
  readonly grid: Size;
  readonly views: number;
  readonly teacher?: Teacher;
  readonly anyres?: Anyres;
  readonly images: readonly Size[];
}

export interface Teacher {
  readonly scales: readonly number[];
  readonly windows: 'tiles' | 'half_overlap' | 'whole';
  readonly models: readonly { readonly name: string; readonly digest: string }[];
}

/** Where an anyres answer's tokens lie. */
export interface Anyres {
  readonly tile_grid: { readonly columns: number; readonly rows: number };
  readonly base_tokens: number;
  readonly unpad: Size & { readonly x: number; readonly y: number };
  readonly spatial: Size;
  readonly newlines: number;
}

/** What /v1/plan answers. */
export interface PlanAnswer {
  readonly metadata: Metadata;
  readonly tokens: number;
  readonly size_bytes: number;
}
