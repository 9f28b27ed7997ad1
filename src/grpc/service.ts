import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { VisualEncoder } from '../request.ts';
import { serviceName, wire } from './definition.ts';
import { encodeRequestOf } from './encode-request.ts';
import { serializeAnswer } from './encode-response.ts';
import type { EncodeRequestMessage } from './messages.ts';
import { modelsResponse } from './models-response.ts';
import { type EncodedMessage, type RequestWatch, unary } from './unary.ts';

/** The service's methods over a VisualEncoder: they translate and decide nothing. */
export function visualEncoderHandlers(encoder: VisualEncoder, watch: RequestWatch) {
  return {
    Encode: unary('Encode', watch, async (message: EncodeRequestMessage, signal) =>
      serializeAnswer(await encoder.encode(encodeRequestOf(message, signal))),
    ),
    ListModels: unary('ListModels', watch, () =>
      wire.listModelsResponse.serialize(modelsResponse(encoder.models())),
    ),
  } satisfies UntypedServiceImplementation;
}

/** How grpc-js reads and writes the service's messages. The handlers encode their answers themselves. */
export const visualEncoderDefinition = {
  Encode: method('Encode', wire.encodeRequest.deserialize),
  ListModels: method('ListModels', wire.listModelsRequest.deserialize),
} satisfies ServiceDefinition;

function method<Request>(name: string, requestDeserialize: (bytes: Buffer) => Request) {
  return {
    path: `/${serviceName}/${name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestDeserialize,
    // grpc-js asks for a Buffer and uses only the part of it that a GatheredMessage has.
    responseSerialize: (message: EncodedMessage) => message as Buffer,
    requestSerialize: refuseToSerialize,
    responseDeserialize: refuseToSerialize,
  };
}

function refuseToSerialize(): never {
  throw new Error('The server neither writes requests nor reads responses.');
}
