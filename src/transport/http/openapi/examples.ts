import { problemKinds, type ProblemCode } from '../problem.ts';
import type { Json } from './schemas.ts';

/** A PNG of one pixel. */
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const metadata = {
  model: { name: 'siglip2-so400m', digest, trained: true },
  recipe: 'encode',
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
        precision: 'fp16',
        resample: 'bilinear',
        resize: 'squash',
      },
    ],
  },
} as const satisfies Record<string, Json>;

const details: Record<ProblemCode, string> = {
  invalid_argument: 'The bytes are not an image of a known format; send JPEG, PNG, WebP, GIF, TIFF or AVIF.',
  unauthenticated: 'The API key is wrong.',
  not_found: 'No model "other" is served here; there is: siglip2-so400m.',
  not_acceptable: 'Accept allows none of the formats.',
  failed_precondition: `The model "siglip2-so400m" has the digest ${digest}, not the expected one.`,
  too_large: 'The body is over the limit of 20 MiB (--max-body-bytes).',
  unsupported_media: 'The image is PDF, which is not accepted; send JPEG, PNG, WebP, GIF, TIFF or AVIF.',
  overloaded: 'The queue is full; try again later.',
  cancelled: 'The client went away.',
  deadline_exceeded: 'The request was not finished within 500 ms.',
  unavailable: 'The service is stopping.',
  internal: 'The service failed; its log names the request id.',
  method_not_allowed: '/v1/models takes GET, HEAD, not POST.',
  request_timeout: 'The request did not arrive in time.',
  headers_too_large: 'The request line and headers are over the limit.',
};

/** An example of a problem. */
export function exampleProblem(code: ProblemCode): Json {
  const { status, title } = problemKinds[code];
  const type = `urn:siglip-hd:problem:${code}`;
  return { type, title, status, detail: details[code], code, request_id: 'job-7/image-3' };
}
