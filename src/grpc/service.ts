import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { VisualEncoder } from '../request.ts';
import { readEncodeRequest, serviceName, wire } from './definition.ts';
import { encodeRequestOf } from './encode-request.ts';
import { serializeAnswer } from './encode-response.ts';
import { modelsResponse } from './models-response.ts';
import { type EncodedMessage, type RequestWatch, unary } from './unary.ts';

/** The service's methods over a VisualEncoder: they translate and decide nothing. */
export function visualEncoderHandlers(encoder: VisualEncoder, watch: RequestWatch) {
  return {
    Encode: unary('Encode', watch, async (bytes, signal) =>
      serializeAnswer(await encoder.encode(encodeRequestOf(readEncodeRequest(bytes), signal))),
    ),
    ListModels: unary('ListModels', watch, () =>
      wire.listModelsResponse.serialize(modelsResponse(encoder.models())),
    ),
  } satisfies UntypedServiceImplementation;
}

/** How grpc-js reads and writes the service's messages: not at all, which leaves failures of either to the handlers. */
export const visualEncoderDefinition = {
  Encode: method('Encode'),
  ListModels: method('ListModels'),
} satisfies ServiceDefinition;

function method(name: string) {
  return {
    path: `/${serviceName}/${name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestDeserialize: (bytes: Buffer) => bytes,
    // grpc-js asks for a Buffer and uses only the part of it that a GatheredMessage has.
    responseSerialize: (message: EncodedMessage) => message as Buffer,
    requestSerialize: refuse,
    responseDeserialize: refuse,
  };
}

function refuse(): never {
  throw new Error('The server neither writes requests nor reads responses.');
}
