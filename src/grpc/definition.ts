import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { ServiceError } from '../errors.ts';
import type {
  EncodeRequestMessage,
  EncodeResponseHead,
  ListModelsResponseMessage,
  TensorHead,
} from './messages.ts';

/** Fully qualified name of the service: what health checks and reflection call it. */
export const serviceName = 'siglip_hd.v1.VisualEncoderService';

/** Folder of the .proto files, beside src and build. */
const protoFolder = fileURLToPath(new URL('../../../proto', import.meta.url));

/** Everything that encoder.proto defines, loaded once. */
export const packageDefinition: PackageDefinition = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [protoFolder],
  defaults: true,
  oneofs: true,
  longs: Number,
});

function message<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = packageDefinition[`siglip_hd.v1.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}

/** The messages that the server writes, under the types of messages.ts. */
export const wire = {
  encodeResponse: message<EncodeResponseHead, never>('EncodeResponse'),
  tensor: message<TensorHead, never>('Tensor'),
  listModelsResponse: message<ListModelsResponseMessage, never>('ListModelsResponse'),
};

const encodeRequest = message<never, EncodeRequestMessage>('EncodeRequest');

/** An EncodeRequest out of its bytes; its image stays where it is. Throws `invalid_argument` for what is not one. */
export function readEncodeRequest(bytes: Buffer): EncodeRequestMessage {
  try {
    return encodeRequest.deserialize(bytes);
  } catch (thrown) {
    throw new ServiceError('invalid_argument', 'The message is not a siglip_hd.v1.EncodeRequest.', {
      cause: thrown,
    });
  }
}
