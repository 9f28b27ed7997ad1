import type { EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import type { CallTerms } from '../request-terms.ts';
import { serviceName } from './definition.ts';
import type { Method } from './inbound.ts';
import type { GrpcLimits } from './limits.ts';
import { readRequest } from './read-request.ts';
import { unary } from './unary.ts';
import { writeAnswer, writeModels, writePlan } from './write-response.ts';

/**
 * The methods of VisualEncoderService over an encoder, by path. They translate, and decide nothing. `encodeStream`
 * answers StreamEncode.
 */
export function visualEncoderMethods(
  encoder: VisualEncoder,
  { reading }: Pick<GrpcLimits, 'reading'>,
): ReadonlyMap<string, Method> {
  function encoding(readOne: (bytes: Buffer, call: CallTerms) => EncodeRequest) {
    return unary(reading, async (bytes, call) => {
      const answer = await encoder.encode(readOne(bytes, call));
      const writeMs = performance.now();
      const message = writeAnswer(answer);
      call.trace?.stage('write', writeMs, performance.now());
      return { message, answer: withoutTokens(answer), release: answer.release };
    });
  }

  const plan = unary(reading, (bytes, call) => ({
    message: writePlan(encoder.plan(readRequest.plan(bytes, call))),
  }));
  const listModels = unary(reading, () => ({ message: writeModels(encoder.models()) }));
  return new Map<string, Method>([
    [pathOf('Encode'), { endpoint: 'encode', answer: encoding(readRequest.encode) }],
    [pathOf('TeacherEncode'), { endpoint: 'teacher_encode', answer: encoding(readRequest.teacher) }],
    [pathOf('AnyResEncode'), { endpoint: 'anyres_encode', answer: encoding(readRequest.anyres) }],
    [pathOf('StreamEncode'), { endpoint: 'stream_encode' }],
    [pathOf('Plan'), { endpoint: 'plan', answer: plan }],
    [pathOf('ListModels'), { endpoint: 'models', answer: listModels }],
  ]);
}

function pathOf(name: string): string {
  return `/${serviceName}/${name}`;
}
