import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Budget } from '../../../admission/budget.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import { withoutTokens } from '../../../telemetry/request-log.ts';
import { datatypes, type InferAnswer } from '../../open-inference/infer-answer.ts';
import type { OpenInference } from '../../open-inference/open-inference.ts';
import type { TokenDtype } from '../../../tokens/tensor.ts';
import { AnswerWriter } from '../answer-writer.ts';
import { declaredBytes } from '../read-body.ts';
import { termsOf } from '../request-head.ts';
import { sendFile } from '../send-tokens.ts';
import {
  type InferBody,
  type InferBodyReaders,
  headLengthHeader,
  isCompressed,
  readInferBody,
} from './infer-body.ts';
import { binaryFile, jsonAnswer } from './infer-file.ts';
import { modelOf } from './model-path.ts';

export interface InferRouteSettings extends InferBodyReaders {
  readonly openInference: OpenInference;
  readonly metrics: Metrics;
  /** Limits the bytes of all bodies. Unlimited if absent. */
  readonly budget?: Budget | undefined;
}

/** Handles an infer request. Refuses what it can before it reads the body. */
export async function answerInfer(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: InferRouteSettings,
): Promise<void> {
  const { modelName, modelVersion } = modelOf(request);
  settings.openInference.model(modelName, modelVersion);
  const { answer, isBinary } = await inferBody(request, reply, settings);
  await send(reply, settings, answer, isBinary);
}

/** Receives the body and encodes its images. The bytes are released before the client reads the answer. */
async function inferBody(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: InferRouteSettings,
): Promise<{ readonly answer: InferAnswer; readonly isBinary: boolean }> {
  const { openInference, budget, limits } = settings;
  const { scope } = request;
  const { trace, signal } = scope;
  const receivedMs = performance.now();
  const { maxBodyBytes } = limits;
  const declared = isCompressed(request) ? undefined : declaredBytes(request);
  const reservation = budget?.reserve(Math.min(declared ?? maxBodyBytes, maxBodyBytes), scope.caller);
  try {
    const body = await readInferBody(request, reply, settings);
    reservation?.settle(body.sizeBytes);
    trace?.stage('receive', receivedMs, performance.now());
    const isBinary = wantsBinary(body);
    const answer = await openInference.infer(
      { ...body, ...modelOf(request) },
      { terms: termsOf(request), trace, signal },
      ({ options }) => {
        if (!isBinary) requireJson(options.dtype);
      },
    );
    return { answer, isBinary };
  } finally {
    reservation?.release();
  }
}

/** Whether the tensor is to follow the JSON: the output's own parameter counts before the request's. */
function wantsBinary({ parameters, outputs, isImageAlone }: InferBody): boolean {
  const own = outputs[0]?.parameters.get('binary_data');
  return (own ?? parameters.get('binary_data_output') ?? isImageAlone) === true;
}

function requireJson(dtype: TokenDtype): void {
  if (dtype === 'float32') return;
  throw new ServiceError(
    'invalid_argument',
    `${datatypes[dtype]} cannot be sent as JSON: request binary data (binary_data_output or an output's binary_data: true), or ` +
      'the parameter dtype=float32.',
  );
}

async function send(
  reply: FastifyReply,
  { metrics, limits }: InferRouteSettings,
  answer: InferAnswer,
  isBinary: boolean,
): Promise<void> {
  const { scope } = reply.request;
  const { encoded } = answer;
  scope.hold(encoded.release);
  scope.answer = withoutTokens(encoded);
  if (isBinary) {
    const { file, headBytes } = binaryFile(answer);
    await sendFile(reply, { metrics, limits }, () => file, encoded, {
      [headLengthHeader]: String(headBytes),
    });
    return;
  }
  await new AnswerWriter(reply, limits).sendLines('application/json', once(jsonAnswer(answer)));
}

async function* once<Line>(line: Line): AsyncGenerator<Line, void, void> {
  yield line;
}
