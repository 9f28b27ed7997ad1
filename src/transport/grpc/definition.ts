import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { ServiceError } from '../../errors/service-error.ts';
import type { AnyResEncodeRequest__Output } from './generated/AnyResEncodeRequest.ts';
import type { EncodeRequest__Output } from './generated/EncodeRequest.ts';
import type { EncodeResponse } from './generated/EncodeResponse.ts';
import type { Failure } from './generated/Failure.ts';
import type { ListModelsResponse } from './generated/ListModelsResponse.ts';
import type { PlanRequest__Output } from './generated/PlanRequest.ts';
import type { PlanResponse } from './generated/PlanResponse.ts';
import type { StreamEncodeRequest__Output } from './generated/StreamEncodeRequest.ts';
import type { TeacherEncodeRequest__Output } from './generated/TeacherEncodeRequest.ts';
import type { Tensor } from './generated/Tensor.ts';
import type { TensorChunk } from './generated/TensorChunk.ts';

/** Fully qualified name of the service. */
export const serviceName = 'siglip_hd.v1.VisualEncoderService';

/** Folder of the .proto files, beside src and build. */
const protoFolder = fileURLToPath(new URL('../../../../proto', import.meta.url));

/**
 * Everything in encoder.proto. An absent message reads as null, an absent scalar as zero, and an enum value as its name.
 * scripts/grpc-types.js generates the types for these options.
 */
export const packageDefinition: PackageDefinition = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [protoFolder],
  defaults: true,
  oneofs: true,
  longs: Number,
  enums: String,
});

/**
 * Writes responses. EncodeResponse, TeacherEncodeResponse and AnyResEncodeResponse have the same fields under the same
 * numbers, so one function writes all three.
 */
export const write = {
  encodeResponse: message<EncodeResponse, never>('EncodeResponse').serialize,
  tensor: message<Tensor, never>('Tensor').serialize,
  tensorChunk: message<TensorChunk, never>('TensorChunk').serialize,
  failure: message<Failure, never>('Failure').serialize,
  planResponse: message<PlanResponse, never>('PlanResponse').serialize,
  listModelsResponse: message<ListModelsResponse, never>('ListModelsResponse').serialize,
};

/** Reads requests. An image stays in the message's buffer. Throws `invalid_argument` if the bytes are not such a message. */
export const read = {
  encodeRequest: reader('EncodeRequest', message<never, EncodeRequest__Output>('EncodeRequest')),
  teacherEncodeRequest: reader(
    'TeacherEncodeRequest',
    message<never, TeacherEncodeRequest__Output>('TeacherEncodeRequest'),
  ),
  anyResEncodeRequest: reader(
    'AnyResEncodeRequest',
    message<never, AnyResEncodeRequest__Output>('AnyResEncodeRequest'),
  ),
  streamEncodeRequest: reader(
    'StreamEncodeRequest',
    message<never, StreamEncodeRequest__Output>('StreamEncodeRequest'),
  ),
  planRequest: reader('PlanRequest', message<never, PlanRequest__Output>('PlanRequest')),
};

function message<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = packageDefinition[`siglip_hd.v1.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}

function reader<Message>(
  name: string,
  { deserialize }: MessageTypeDefinition<never, Message>,
): (bytes: Buffer) => Message {
  return (bytes) => {
    try {
      return deserialize(bytes);
    } catch (thrown) {
      throw new ServiceError('invalid_argument', `The message is not a siglip_hd.v1.${name}.`, {
        cause: thrown,
      });
    }
  };
}
