import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { loadProto } from '../../network/load-proto.ts';
import { readMessage } from './read-message.ts';
import type {
  AnyResEncodeRequest__Output,
  EncodeRequest__Output,
  EncodeResponse,
  Failure,
  ListModelsResponse,
  PlanRequest__Output,
  PlanResponse,
  StreamEncodeRequest__Output,
  TeacherEncodeRequest__Output,
  Tensor,
  TensorChunk,
} from './generated/encoder.ts';

/** Fully qualified name of the service. */
export const serviceName = 'siglip_hd.v1.VisualEncoderService';

/** Everything in encoder.proto. */
export const packageDefinition = loadProto('siglip_hd/v1/encoder.proto');

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
  encodeRequest: message<never, EncodeRequest__Output>('EncodeRequest').read,
  teacherEncodeRequest: message<never, TeacherEncodeRequest__Output>('TeacherEncodeRequest').read,
  anyResEncodeRequest: message<never, AnyResEncodeRequest__Output>('AnyResEncodeRequest').read,
  streamEncodeRequest: message<never, StreamEncodeRequest__Output>('StreamEncodeRequest').read,
  planRequest: message<never, PlanRequest__Output>('PlanRequest').read,
};

interface Codec<Input, Output> {
  readonly serialize: (message: Input) => Buffer;
  readonly read: (bytes: Buffer) => Output;
}

function message<Input, Output>(name: string): Codec<Input, Output> {
  const definition: unknown = packageDefinition[`siglip_hd.v1.${name}`];
  const { serialize, deserialize } = definition as MessageTypeDefinition<Input, Output>;
  return { serialize, read: (bytes) => readMessage(`a siglip_hd.v1.${name}`, deserialize, bytes) };
}
