// The thread of the JSON pool.
import { taskOutcome } from '../../threads/worker-pool.ts';
import { jsonImages } from './json-images.ts';
import { buffersOf, readInferHead } from './open-inference/infer-head.ts';

export interface JsonTask {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly maxImages: number;
}

export default function readJson({ body, maxImages }: JsonTask): Promise<unknown> {
  return taskOutcome(
    () => jsonImages(body, maxImages),
    ({ images }) => images.map(({ buffer }) => buffer),
  );
}

export function inferHead(head: Uint8Array<ArrayBuffer>): Promise<unknown> {
  return taskOutcome(() => readInferHead(head), buffersOf);
}
