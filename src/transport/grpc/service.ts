import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { RequestMessage } from './request-message.ts';
import { serviceName } from './definition.ts';
import type { EncodeStreams } from './encode-stream.ts';
import type { GrpcLimits } from './limits.ts';
import { type CallTerms, readRequest } from './read-request.ts';
import { type EncodedMessage, unary } from './unary.ts';
import { writeAnswer, writeModels, writePlan } from './write-response.ts';

/** The names of the methods in logs and metrics, by path. */
export const visualEncoderEndpoints: ReadonlyMap<string, string> = new Map([
  [pathOf('Encode'), 'encode'],
  [pathOf('TeacherEncode'), 'teacher_encode'],
  [pathOf('AnyResEncode'), 'anyres_encode'],
  [pathOf('StreamEncode'), 'stream_encode'],
  [pathOf('Plan'), 'plan'],
  [pathOf('ListModels'), 'models'],
]);

/** The methods of VisualEncoderService over an encoder. They translate, and decide nothing. */
export function visualEncoderHandlers(
  encoder: VisualEncoder,
  streams: EncodeStreams,
  { reading }: Pick<GrpcLimits, 'reading'>,
) {
  function encoding(readOne: (bytes: Buffer, call: CallTerms) => EncodeRequest) {
    return unary(reading, async (bytes, call) => {
      const answer = await encoder.encode(readOne(bytes, call));
      const writeMs = performance.now();
      const message = writeAnswer(answer);
      call.trace?.stage('write', writeMs, performance.now());
      return { message, answer: withoutTokens(answer), release: answer.release };
    });
  }

  return {
    Encode: encoding(readRequest.encode),
    TeacherEncode: encoding(readRequest.teacher),
    AnyResEncode: encoding(readRequest.anyres),
    StreamEncode: streams.handler(),
    Plan: unary(reading, (bytes, call) => ({
      message: writePlan(encoder.plan(readRequest.plan(bytes, call))),
    })),
    ListModels: unary(reading, () => ({ message: writeModels(encoder.models()) })),
  } satisfies UntypedServiceImplementation;
}

/** The service for grpc-js, which neither reads nor writes its messages: the handlers report what fails there. */
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
    requestDeserialize: (bytes: Buffer) => new RequestMessage(bytes),
    // grpc-js only uses what a GatheredMessage and a Buffer have in common.
    responseSerialize: (message: EncodedMessage) => message as Buffer,
    requestSerialize: refuse,
    responseDeserialize: refuse,
  };
}

function pathOf(name: string): string {
  return `/${serviceName}/${name}`;
}

function refuse(): never {
  throw new Error('A server does not write requests or read responses.');
}
