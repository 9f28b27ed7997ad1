import type { AnswerMetadata } from '../answer-metadata.ts';
import { imageFailure, type ImageOutcome } from './image-outcome.ts';
import { metadataJson } from './metadata.ts';
import { byteLengthOf, type TokenTensor } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';

/** Bytes per slice: a multiple of 3, so that only the last slice is padded. */
const sliceBytes = 3 * 64 * 1024;

/**
 * `{"metadata", "shape", "dtype", "encoding": "base64", "data"}`, where `data` is the little-endian values in base64.
 * As text, the million numbers of one image would be five times as long and take a core for half a second.
 */
export function jsonFile(tensor: TokenTensor, metadata: AnswerMetadata): TokenFile {
  const head = Buffer.from(`{${jsonHead(tensor, metadata)}`, 'latin1');
  const base64Bytes = Math.ceil(byteLengthOf(tensor.parts) / 3) * 4;
  return {
    contentType: 'application/json',
    contentLength: head.byteLength + base64Bytes + tail.byteLength,
    body: { kind: 'slices', slices: jsonSlices(head, tensor.parts) },
  };
}

/**
 * One line for one of several images: `index`, then the fields of {@link jsonFile}, or `error` with an
 * {@link ImageFailure}. Its slices are made while they are iterated, each in well under a millisecond.
 */
export function jsonLine(outcome: ImageOutcome): Iterable<Uint8Array> {
  if (outcome.kind === 'failed') {
    const { index, error } = outcome;
    return [Buffer.from(`${JSON.stringify({ index, error: imageFailure(error) })}\n`)];
  }
  const { index, answer } = outcome;
  const head = Buffer.from(`{"index":${index},${jsonHead(answer.tensor, answer.metadata)}`, 'latin1');
  return jsonSlices(head, answer.tensor.parts);
}

const tail = Buffer.from('"}\n', 'latin1');

/** The fields of a tensor, up to the first character of its data. */
function jsonHead({ shape, dtype }: TokenTensor, metadata: AnswerMetadata): string {
  const fields = `"metadata":${metadataJson(metadata)},"shape":${JSON.stringify(shape)},"dtype":"${dtype}"`;
  return `${fields},"encoding":"base64","data":"`;
}

function* jsonSlices(head: Uint8Array, parts: readonly Uint8Array[]): Generator<Uint8Array, void, void> {
  yield head;
  yield* base64Slices(parts);
  yield tail;
}

/** The joined parts as base64 text. Up to 2 bytes at the end of a part are encoded with the next part. */
function* base64Slices(parts: readonly Uint8Array[]): Generator<Uint8Array, void, void> {
  let carry: Uint8Array = new Uint8Array(0);
  for (const part of parts) {
    let start = 0;
    if (carry.byteLength > 0) {
      start = Math.min(3 - carry.byteLength, part.byteLength);
      carry = Buffer.concat([carry, part.subarray(0, start)]);
      if (carry.byteLength < 3) continue;
      yield base64(carry);
    }
    const end = start + Math.floor((part.byteLength - start) / 3) * 3;
    for (let at = start; at < end; at += sliceBytes) {
      yield base64(part.subarray(at, Math.min(at + sliceBytes, end)));
    }
    carry = part.subarray(end);
  }
  if (carry.byteLength > 0) yield base64(carry);
}

function base64(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return Buffer.from(text, 'latin1');
}
