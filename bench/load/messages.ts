import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

const definitions = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
});

/** Path of the method that the benchmark calls. */
export const encodePath = '/siglip_hd.v1.VisualEncoderService/Encode';

function message<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = definitions[`siglip_hd.v1.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}

const request = message<object, never>('EncodeRequest');
const response = message<object, { readonly timings?: Readonly<Record<string, number>> }>('EncodeResponse');

/** An EncodeRequest with an image file, and no options unless there are some. */
export function encodeRequestMessage(file: Uint8Array, options?: { readonly dtype: string }): Buffer {
  return request.serialize({ image: { file }, ...(options === undefined ? {} : { options }) });
}

/** An EncodeResponse with this tensor and little else: what a server must at least send. */
export function encodeResponseMessage(shape: readonly number[], data: Uint8Array): Buffer {
  return response.serialize({ tensor: { shape, dtype: 'DTYPE_FLOAT16', data } });
}

/** An EncodeResponse's stages, in milliseconds. */
export function readTimings(answer: Buffer): Record<string, number> {
  const { timings = {} } = response.deserialize(answer);
  return Object.fromEntries(Object.entries(timings).map(([name, ms]) => [name.replace(/Ms$/, ''), ms]));
}
