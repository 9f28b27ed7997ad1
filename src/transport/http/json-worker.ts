// The thread of the JSON pool.
import { type MovedOutcome, taskOutcome } from '../../threads/task-outcome.ts';
import { jsonImages } from './json-images.ts';
import { buffersOf, readInferHead } from './open-inference/infer-head.ts';

export interface JsonTask {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly maxImages: number;
}

export default function readJson({ body, maxImages }: JsonTask): Promise<MovedOutcome> {
  return taskOutcome(
    () => jsonImages(body, maxImages),
    ({ images }) => images.map(({ buffer }) => buffer),
  );
}

export function inferHead(head: Uint8Array<ArrayBuffer>): Promise<MovedOutcome> {
  return taskOutcome(() => readInferHead(head), buffersOf);
}
