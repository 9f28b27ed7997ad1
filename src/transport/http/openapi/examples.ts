import { type ProblemCode, problemKinds } from '../problem.ts';
import type { Json } from './schemas.ts';

/** A PNG of one pixel. */
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const metadata = {
  model: { name: 'siglip2-so400m', digest, trained: true },
  recipe: 'encode',
  output: 'features',
  features: 'last_hidden_state',
  precision: 'fp16',
  dtype: 'float16',
  shape: [1024, 1152],
  grid: { width: 32, height: 32 },
  views: 1,
  images: [{ width: 640, height: 480 }],
};
const tokens = { metadata, shape: [1024, 1152], dtype: 'float16', encoding: 'base64', data: 'AAA8AD...' };

/** What OpenAPI shows as examples, by the schema that they have. */
export const examples = {
  Images: { image: pixel },
  Tokens: tokens,
  Line: { index: 0, ...tokens },
  Plan: { metadata, tokens: 1024, size_bytes: 2_359_296 },
  Models: {
    models: [
      {
        name: 'siglip2-so400m',
        default: true,
        digest,
        architecture: 'siglip',
        trained: true,
        image_size: 512,
        patch_size: 16,
        grid: { width: 32, height: 32 },
        tokens: 1024,
        channels: 1152,
        layers: 27,
        features: 'last_hidden_state',
        feature_layers: ['last_hidden_state', 'penultimate', '-3'],
        class_token: false,
        precision: 'fp16',
        resample: 'bilinear',
        resize: 'squash',
      },
    ],
  },
} as const satisfies Record<string, Json>;

/** An example of a problem. */
export function exampleProblem(code: ProblemCode): Json {
  const { status, title } = problemKinds[code];
  const type = `urn:siglip-hd:problem:${code}`;
  return { type, title, status, detail: `${title}, in a sentence.`, code, request_id: 'job-7/image-3' };
}
