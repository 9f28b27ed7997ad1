import { datatypes, type InferAnswer } from '../../open-inference/infer-answer.ts';
import { byteLengthOf } from '../../../tokens/tensor.ts';
import type { TokenFile } from '../../../tokens/formats/token-file.ts';

/** An answer whose tensor follows the JSON, and the length of that JSON. It copies none of the tokens. */
export function binaryFile(answer: InferAnswer): { readonly file: TokenFile; readonly headBytes: number } {
  const { parts } = answer.output.tensor;
  const tensorBytes = byteLengthOf(parts);
  const head = Buffer.from(`${openJson(answer)},"parameters":{"binary_data_size":${tensorBytes}}}]}`);
  return {
    headBytes: head.byteLength,
    file: {
      contentType: 'application/octet-stream',
      contentLength: head.byteLength + tensorBytes,
      body: { kind: 'buffers', buffers: [head, ...parts] },
    },
  };
}

/** Most characters of a float32 as JSON writes it, and its comma. */
const numberCharacters = 24;
/** Bytes of a tensor in one slice: some 0.2 ms. */
const sliceBytes = 4096;

/** An answer as JSON, and its longest possible length. The tensor must be float32. Iterate the slices once. */
export function jsonAnswer(answer: InferAnswer): {
  readonly slices: Iterable<Uint8Array>;
  readonly sizeBytes: number;
} {
  if (answer.output.datatype !== datatypes.float32) throw new Error('Only FP32 can be written as JSON.');
  const { parts } = answer.output.tensor;
  const sizeBytes = (byteLengthOf(parts) / Float32Array.BYTES_PER_ELEMENT) * numberCharacters;
  return { slices: numberSlices(`${openJson(answer)},"data":[`, parts, ']}]}'), sizeBytes };
}

function* numberSlices(
  head: string,
  parts: readonly Uint8Array[],
  tail: string,
): Generator<Uint8Array, void, void> {
  yield Buffer.from(head);
  let separator = '';
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += sliceBytes) {
      // A copy, which is aligned.
      const values = new Float32Array(part.slice(at, at + sliceBytes).buffer);
      yield Buffer.from(separator + values.join(','), 'latin1');
      separator = ',';
    }
  }
  yield Buffer.from(tail);
}

/** The JSON of an answer up to the last field of its one output. */
function openJson({ modelName, modelVersion, id, parameters, output }: InferAnswer): string {
  const { name, datatype, tensor } = output;
  const head = JSON.stringify({ id, model_name: modelName, model_version: modelVersion, parameters });
  const described = JSON.stringify({ name, datatype, shape: tensor.shape });
  return `${head.slice(0, -1)},"outputs":[${described.slice(0, -1)}`;
}
