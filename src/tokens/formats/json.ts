import type { AnswerMetadata } from '../answer-metadata.ts';
import { base64Length, base64Slices } from './base64.ts';
import { imageFailure, type ImageOutcome } from './image-outcome.ts';
import { metadataJson } from './metadata.ts';
import { byteLengthOf, type TokenTensor } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';

/**
 * `{"metadata", "shape", "dtype", "encoding": "base64", "data"}`, where `data` is the little-endian values in base64.
 * As text, the million numbers of one image would be five times as long and take a core for half a second.
 */
export function jsonFile(tensor: TokenTensor, metadata: AnswerMetadata): TokenFile {
  const head = Buffer.from(`{${jsonHead(tensor, metadata)}`, 'latin1');
  return {
    contentType: 'application/json',
    contentLength: head.byteLength + base64Length(byteLengthOf(tensor.parts)) + tail.byteLength,
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
