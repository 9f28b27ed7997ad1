import type { Size } from '../../src/recipes/plan.ts';
import { type Choice, queryOf, recipePaths } from './choice.ts';
import type { Metadata, PlanAnswer } from './metadata.ts';
import type { Service } from './service.ts';

/** A stage of an answer in the service. */
export interface Stage {
  readonly name: string;
  readonly ms: number;
}

/** Tokens, and what they cost. */
export interface Encoded {
  readonly metadata: Metadata;
  /** float16, little-endian. */
  readonly tokens: ArrayBuffer;
  /** In the order in which they run, one after the other. */
  readonly stages: readonly Stage[];
  /** Views in the largest batch that the engine ran for the request; undefined if it ran none. */
  readonly batchViews: number | undefined;
  /** From sending the request until the answer begins, and from then to its last byte, by the browser's clock. */
  readonly firstByteMs: number;
  readonly downloadMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** `hit`, `joined` or `miss`. */
  readonly cache: string;
}

/** Asks what an image of this size would be answered with. */
export async function askPlan(
  service: Service,
  choice: Choice,
  { width, height }: Size,
  signal: AbortSignal,
): Promise<PlanAnswer> {
  const query = { recipe: choice.recipe, width: String(width), height: String(height), ...queryOf(choice) };
  return await service.json<PlanAnswer>('v1/plan', { query, signal });
}

export async function encode(
  service: Service,
  choice: Choice,
  image: Blob,
  signal: AbortSignal,
): Promise<Encoded> {
  const query = { ...queryOf(choice), format: 'raw', dtype: 'float16' };
  const { headers, tokens, ...times } = await service.ask(
    recipePaths[choice.recipe],
    { method: 'POST', query, body: image, signal },
    async (response, sentMs) => {
      const answeredMs = performance.now();
      const bytes = await response.arrayBuffer();
      return {
        headers: response.headers,
        tokens: bytes,
        firstByteMs: answeredMs - sentMs,
        downloadMs: performance.now() - answeredMs,
      };
    },
  );
  const timing = headers.get('server-timing') ?? '';
  return {
    metadata: JSON.parse(headers.get('tokens-meta') ?? '{}') as Metadata,
    tokens,
    stages: stagesOf(timing),
    batchViews: batchOf(timing),
    ...times,
    sentBytes: image.size,
    receivedBytes: tokens.byteLength,
    cache: headers.get('tokens-cache') ?? '',
  };
}

/** Reads `engine;dur=53.72;desc="batch of 3"`. */
function batchOf(header: string): number | undefined {
  const [, views] = /desc="batch of (\d+)"/.exec(header) ?? [];
  return views === undefined ? undefined : Number(views);
}

/** Reads `decode;dur=6.40, views;dur=4.70`. */
function stagesOf(header: string): Stage[] {
  return [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name = '', ms]) => ({
    name,
    ms: Number(ms),
  }));
}
