import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { EncodeRequest, VisualEncoder } from '../request.ts';
import { read, serviceName, wire } from './definition.ts';
import { anyresRequestOf, type CallTerms, encodeRequestOf, teacherRequestOf } from './encode-request.ts';
import { serializeAnswer } from './encode-response.ts';
import type { EncodeStreams } from './encode-streams.ts';
import { modelsResponse } from './models-response.ts';
import { planRequestOf, planResponse } from './plan.ts';
import type { RequestWatch } from './request-watch.ts';
import { type EncodedMessage, unary } from './unary.ts';

/** The service's methods over a VisualEncoder: they translate and decide nothing. */
export function visualEncoderHandlers(encoder: VisualEncoder, watch: RequestWatch, streams: EncodeStreams) {
  function encoding(endpoint: string, requestOf: (bytes: Buffer, call: CallTerms) => EncodeRequest) {
    return unary(endpoint, watch, async (bytes, call) => {
      const answer = await encoder.encode(requestOf(bytes, call));
      return { message: serializeAnswer(answer), release: answer.release };
    });
  }

  return {
    Encode: encoding('encode', (bytes, call) => encodeRequestOf(read.encodeRequest(bytes), call)),
    TeacherEncode: encoding('teacher_encode', (bytes, call) =>
      teacherRequestOf(read.teacherEncodeRequest(bytes), call),
    ),
    AnyResEncode: encoding('anyres_encode', (bytes, call) =>
      anyresRequestOf(read.anyResEncodeRequest(bytes), call),
    ),
    StreamEncode: streams.handler(),
    Plan: unary('plan', watch, (bytes) => {
      const plan = encoder.plan(planRequestOf(read.planRequest(bytes)));
      return { message: wire.planResponse.serialize(planResponse(plan)) };
    }),
    ListModels: unary('models', watch, () => ({
      message: wire.listModelsResponse.serialize(modelsResponse(encoder.models())),
    })),
  } satisfies UntypedServiceImplementation;
}

/** How grpc-js reads and writes the service's messages: not at all, which leaves failures of either to the handlers. */
export const visualEncoderDefinition = {
  Encode: method('Encode', false),
  TeacherEncode: method('TeacherEncode', false),
  AnyResEncode: method('AnyResEncode', false),
  StreamEncode: method('StreamEncode', true),
  Plan: method('Plan', false),
  ListModels: method('ListModels', false),
} satisfies ServiceDefinition;

function method(name: string, streams: boolean) {
  return {
    path: `/${serviceName}/${name}`,
    requestStream: streams,
    responseStream: streams,
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
