import { answerSources } from '../../../telemetry/stage-timings.ts';

/** The headers of answers. */
export const headers = {
  'x-request-id': {
    description: "The caller's own id if it sent 1 to 128 visible ASCII characters, otherwise a new one.",
    schema: { type: 'string' },
  },
  'tokens-meta': {
    description: 'Metadata as JSON in ASCII, under 2 KB; with npy, raw, torch, and vllm for one image.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Metadata' } } },
  },
  'tokens-cache': {
    description:
      'Where the tokens come from: the cache, work that another request had begun, or this request. Not with jsonl.',
    schema: { enum: answerSources },
  },
  'server-timing': {
    description:
      'Milliseconds of decode, views, queue (waiting for a thread or an engine), engine (while it runs any of the views), assemble (if there is any) and write; of several images, the longest of each. The description of engine is the largest batch, in views, that it ran for the request, such as "batch of 3"; a request whose tokens others made has none.',
    schema: { type: 'string' },
  },
};
