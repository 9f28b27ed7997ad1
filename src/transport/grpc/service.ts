import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { read, serviceName, wire } from './definition.ts';
import { anyresRequestOf, type CallTerms, encodeRequestOf, teacherRequestOf } from './read-request.ts';
import { serializeAnswer } from './write-response.ts';
import type { EncodeStreams } from './encode-streams.ts';
import { modelsResponse } from './models-response.ts';
import { planRequestOf, planResponse } from './plan.ts';
import type { ArrivedMessage } from './message-door.ts';
import { type EncodedMessage, unary, type UnaryParts } from './unary.ts';

/** The names of the methods' endpoints, as in logs and metrics. */
const endpoints = {
  Encode: 'encode',
  TeacherEncode: 'teacher_encode',
  AnyResEncode: 'anyres_encode',
  StreamEncode: 'stream_encode',
  Plan: 'plan',
  ListModels: 'models',
} as const;

/** The same by the methods' paths. */
export const visualEncoderEndpoints: ReadonlyMap<string, string> = new Map(
  Object.entries(endpoints).map(([name, endpoint]) => [pathOf(name), endpoint]),
);

/** The service's methods over a VisualEncoder: they translate and decide nothing. */
export function visualEncoderHandlers(encoder: VisualEncoder, parts: UnaryParts, streams: EncodeStreams) {
  function encoding(endpoint: string, requestOf: (bytes: Buffer, call: CallTerms) => EncodeRequest) {
    return unary(endpoint, parts, async (bytes, call) => {
      const answer = await encoder.encode(requestOf(bytes, call));
      const writeMs = performance.now();
      const message = serializeAnswer(answer);
      call.trace?.stage('write', writeMs, performance.now());
      return { message, answer: withoutTokens(answer), release: answer.release };
    });
  }

  return {
    Encode: encoding(endpoints.Encode, (bytes, call) => encodeRequestOf(read.encodeRequest(bytes), call)),
    TeacherEncode: encoding(endpoints.TeacherEncode, (bytes, call) =>
      teacherRequestOf(read.teacherEncodeRequest(bytes), call),
    ),
    AnyResEncode: encoding(endpoints.AnyResEncode, (bytes, call) =>
      anyresRequestOf(read.anyResEncodeRequest(bytes), call),
    ),
    StreamEncode: streams.handler(),
    Plan: unary(endpoints.Plan, parts, (bytes, call) => {
      const plan = encoder.plan(planRequestOf(read.planRequest(bytes), call));
      return { message: wire.planResponse.serialize(planResponse(plan)) };
    }),
    ListModels: unary(endpoints.ListModels, parts, () => ({
      message: wire.listModelsResponse.serialize(modelsResponse(encoder.models())),
    })),
  } satisfies UntypedServiceImplementation;
}

/** The paths of methods that take more than one message. */
export const streamingMethods: ReadonlySet<string> = new Set([pathOf('StreamEncode')]);

/**
 * How grpc-js reads and writes the service's messages: not at all, which leaves failures of either to the handlers.
 */
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
    path: pathOf(name),
    requestStream: streams,
    responseStream: streams,
    requestDeserialize: (bytes: Buffer): ArrivedMessage => ({ bytes }),
    // grpc-js asks for a Buffer and uses only the part of it that a GatheredMessage has.
    responseSerialize: (message: EncodedMessage) => message as Buffer,
    requestSerialize: refuse,
    responseDeserialize: refuse,
  };
}

function pathOf(name: string): string {
  return `/${serviceName}/${name}`;
}

function refuse(): never {
  throw new Error('The server neither writes requests nor reads responses.');
}
