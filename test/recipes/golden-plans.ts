import { readFileSync } from 'node:fs';
import type { Model } from '../../src/model/model.ts';
import { model } from './model.ts';

interface PlanCase {
  readonly expected: string;
  readonly shape: readonly number[];
  readonly rpc: string;
  readonly model?: string;
  readonly scales?: readonly number[];
  readonly weights?: readonly number[];
  readonly fusion?: 'average' | 'concat' | 'unshuffle_concat';
  readonly windows?: string;
  readonly grid?: readonly [number, number];
  readonly size?: readonly [number, number];
  readonly max_tiles?: number | null;
  readonly resample?: 'bicubic';
  readonly geometry?: {
    readonly grid: readonly [number, number];
    readonly unpad: readonly [number, number, number, number];
    readonly spatial: readonly [number, number];
    readonly resized: boolean;
    readonly base_tokens: number;
    readonly spatial_tokens: number;
  };
}

const file = JSON.parse(readFileSync('test/fixtures/cases.json', 'utf8')) as { readonly cases: PlanCase[] };

export const planCases = (rpc: 'TeacherEncode' | 'AnyResEncode') =>
  file.cases.filter((golden) => golden.rpc === rpc);

const models: Record<string, Partial<Model>> = {
  'siglip-tiny': {},
  'siglip-tiny-27': { imageSize: 384, patchSize: 14, grid: { width: 27, height: 27 } },
  'clip-tiny': { imageSize: 336, patchSize: 14, grid: { width: 24, height: 24 } },
};

/** The geometry of the checkpoint that a golden case was made with. */
export const modelOf = ({ model: name = 'siglip-tiny' }: PlanCase): Model => ({
  ...model,
  channels: 32,
  ...models[name],
});
