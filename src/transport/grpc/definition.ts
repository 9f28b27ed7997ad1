import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { ServiceError } from '../../errors/service-error.ts';
import type {
  AnyResEncodeRequestMessage,
  EncodeRequestMessage,
  EncodeResponseHead,
  FailureMessage,
  ListModelsResponseMessage,
  PlanRequestMessage,
  PlanResponseMessage,
  StreamEncodeRequestMessage,
  TeacherEncodeRequestMessage,
  TensorChunkHead,
  TensorHead,
} from './messages.ts';

/** Fully qualified name of the service: what health checks and reflection call it. */
export const serviceName = 'siglip_hd.v1.VisualEncoderService';

/** Folder of the .proto files, beside src and build. */
const protoFolder = fileURLToPath(new URL('../../../../proto', import.meta.url));

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

/**
 * The messages that the server writes, under the types of messages.ts. EncodeResponse, TeacherEncodeResponse and
 * AnyResEncodeResponse have the same fields under the same numbers: one writer serves all three.
 */
export const wire = {
  encodeResponse: message<EncodeResponseHead, never>('EncodeResponse'),
  tensor: message<TensorHead, never>('Tensor'),
  tensorChunk: message<TensorChunkHead, never>('TensorChunk'),
  failure: message<FailureMessage, never>('Failure'),
  planResponse: message<PlanResponseMessage, never>('PlanResponse'),
  listModelsResponse: message<ListModelsResponseMessage, never>('ListModelsResponse'),
};

/**
 * Reads each request out of its bytes; an image stays where it is. All throw `invalid_argument` for bytes that are
 * no such message.
 */
export const read = {
  encodeRequest: reader(message<never, EncodeRequestMessage>('EncodeRequest'), 'EncodeRequest'),
  teacherEncodeRequest: reader(
    message<never, TeacherEncodeRequestMessage>('TeacherEncodeRequest'),
    'TeacherEncodeRequest',
  ),
  anyResEncodeRequest: reader(
    message<never, AnyResEncodeRequestMessage>('AnyResEncodeRequest'),
    'AnyResEncodeRequest',
  ),
  streamEncodeRequest: reader(
    message<never, StreamEncodeRequestMessage>('StreamEncodeRequest'),
    'StreamEncodeRequest',
  ),
  planRequest: reader(message<never, PlanRequestMessage>('PlanRequest'), 'PlanRequest'),
};

function reader<Message>(
  definition: MessageTypeDefinition<never, Message>,
  name: string,
): (bytes: Buffer) => Message {
  return (bytes) => {
    try {
      return definition.deserialize(bytes);
    } catch (thrown) {
      throw new ServiceError('invalid_argument', `The message is not a siglip_hd.v1.${name}.`, {
        cause: thrown,
      });
    }
  };
}
