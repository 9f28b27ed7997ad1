import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { VisualEncoder } from '../request.ts';
import { read, serviceName, wire } from './definition.ts';
import { encodeRequestOf } from './encode-request.ts';
import { serializeAnswer } from './encode-response.ts';
import { modelsResponse } from './models-response.ts';
import { planRequestOf, planResponse } from './plan.ts';
import { type AskedOptions, anyresOptionsOf, encodeOptionsOf, teacherOptionsOf } from './request-options.ts';
import type { ImageMessage } from './messages.ts';
import { type EncodedMessage, type RequestWatch, unary } from './unary.ts';

/** The service's methods over a VisualEncoder: they translate and decide nothing. */
export function visualEncoderHandlers(encoder: VisualEncoder, watch: RequestWatch) {
  async function encode(image: ImageMessage | null, asked: AskedOptions, signal: AbortSignal) {
    return serializeAnswer(await encoder.encode(encodeRequestOf(image, asked, signal)));
  }

  return {
    Encode: unary('Encode', watch, (bytes, signal) => {
      const { image, options } = read.encodeRequest(bytes);
      return encode(image, encodeOptionsOf(options), signal);
    }),
    TeacherEncode: unary('TeacherEncode', watch, (bytes, signal) => {
      const { image, options, teacher } = read.teacherEncodeRequest(bytes);
      return encode(image, teacherOptionsOf(options, teacher), signal);
    }),
    AnyResEncode: unary('AnyResEncode', watch, (bytes, signal) => {
      const { image, options, anyres } = read.anyResEncodeRequest(bytes);
      return encode(image, anyresOptionsOf(options, anyres), signal);
    }),
    Plan: unary('Plan', watch, (bytes) =>
      wire.planResponse.serialize(planResponse(encoder.plan(planRequestOf(read.planRequest(bytes))))),
    ),
    ListModels: unary('ListModels', watch, () =>
      wire.listModelsResponse.serialize(modelsResponse(encoder.models())),
    ),
  } satisfies UntypedServiceImplementation;
}

/** How grpc-js reads and writes the service's messages: not at all, which leaves failures of either to the handlers. */
export const visualEncoderDefinition = {
  Encode: method('Encode'),
  TeacherEncode: method('TeacherEncode'),
  AnyResEncode: method('AnyResEncode'),
  Plan: method('Plan'),
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
