// The thread of the JSON pool.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { type JsonImages, jsonImages } from './json-images.ts';

export interface JsonTask {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly maxImages: number;
}

/** What the thread answers. An error would lose its class between threads. */
export type JsonResult =
  | { readonly kind: 'read'; readonly read: JsonImages }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

export default function readJson({ body, maxImages }: JsonTask): unknown {
  try {
    const read = jsonImages(body, maxImages);
    const result: JsonResult = { kind: 'read', read };
    return move({ [transferableSymbol]: read.images.map(({ buffer }) => buffer), [valueSymbol]: result });
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    return { kind: 'refused', code: thrown.code, message: thrown.message } satisfies JsonResult;
  }
}
