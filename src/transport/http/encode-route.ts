import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Budget } from '../../admission/budget.ts';
import { inCompletionOrder } from '../../encoding/outcome-order.ts';
import type { EncodeAnswer, EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { slowest } from '../../telemetry/stage-timings.ts';
import type { TokenFormat } from '../../tokens/formats/format.ts';
import type { ImageOutcome } from '../../tokens/formats/image-outcome.ts';
import { jsonLine } from '../../tokens/formats/json.ts';
import { safetensorsImagesFile } from '../../tokens/formats/safetensors.ts';
import type { TokenFile } from '../../tokens/formats/token-file.ts';
import { vllmImagesFile } from '../../tokens/formats/vllm.ts';
import { byteLengthOf } from '../../tokens/tensor.ts';
import { parseOptions } from '../request-options.ts';
import { chooseFormat, formatTypes, isVllm, requireFormat } from './answer-format.ts';
import { type AnswerLine, AnswerWriter } from './answer-writer.ts';
import type { HttpLimits } from './limits.ts';
import { declaredBytes } from './read-body.ts';
import { singleValues, termsOf } from './request-head.ts';
import { type BodyReaders, type RequestImages, requestImages } from './request-images.ts';
import { sendFile, sendTokens } from './send-tokens.ts';

export interface EncodeRouteSettings extends BodyReaders {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  /** Limits the bytes of all bodies. Unlimited if absent. */
  readonly budget?: Budget | undefined;
  readonly limits: HttpLimits;
}

/** What a request asks for, known before its body is read. */
type Asked = Required<Pick<EncodeRequest, 'recipe' | 'options' | 'terms' | 'hasUuids' | 'signal'>> &
  Pick<EncodeRequest, 'trace'>;

interface ReceivedImages extends Omit<RequestImages, 'sizeBytes'> {
  /** Releases the reserved bytes. Call it when the images are encoded: a slow reader must not hold them. */
  readonly release: () => void;
}

/** Sends an answer. Must not refer to the images, because the client may read slowly. */
type Send = () => Promise<void>;

/** Handles an encode of any recipe. Refuses what it can before it reads the body. */
export async function answerEncode(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: EncodeRouteSettings,
  recipeName: RecipeOptions['recipe'],
): Promise<void> {
  const query = singleValues(request.query);
  const { trace, signal } = request.scope;
  const { options, recipe } = parseOptions(recipeName, query, ['format']);
  const format = chooseFormat(query['format'], request.headers.accept);
  const terms = termsOf(request);
  const asked = { recipe, options, terms, hasUuids: format === 'vllm', trace, signal };
  requireFormat(format, asked);
  settings.encoder.validate(asked);
  const send = await encodeBody(request, reply, settings, asked, format);
  await send();
}

/** Receives the images and encodes them. Lines are sent while other images are still being encoded. */
async function encodeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: EncodeRouteSettings,
  asked: Asked,
  format: TokenFormat | 'jsonl',
): Promise<Send> {
  const receivedMs = performance.now();
  const received = await receive(request, reply, settings);
  asked.trace?.stage('receive', receivedMs, performance.now());
  if (format === 'jsonl') return encodeLines(reply, settings, received, asked);
  if (received.stacked && format === 'safetensors') {
    return await encodeFile(reply, settings, received, asked, safetensorsImagesFile);
  }
  if (received.stacked && isVllm(format)) {
    return await encodeFile(reply, settings, received, asked, (outcomes) =>
      vllmImagesFile(format, allEncoded(outcomes)),
    );
  }
  return await encodeTensor(reply, settings, received, asked, format);
}

/** Reserves the declared length of the body, or the largest if none is declared; then keeps the size of the images. */
async function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: EncodeRouteSettings,
): Promise<ReceivedImages> {
  const { maxBodyBytes } = settings.limits;
  const bodyBytes = Math.min(declaredBytes(request) ?? maxBodyBytes, maxBodyBytes);
  const reservation = settings.budget?.reserve(bodyBytes, request.scope.caller);
  const release = (): void => reservation?.release();
  try {
    const { images, stacked, sizeBytes, hint } = await requestImages(request, reply, settings);
    reservation?.settle(sizeBytes);
    return { images, stacked, hint, release };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

/** Encodes the images into one tensor. */
async function encodeTensor(
  reply: FastifyReply,
  { encoder, metrics, limits }: EncodeRouteSettings,
  { images, stacked, hint, release }: ReceivedImages,
  { recipe, options, terms, hasUuids, trace, signal }: Asked,
  format: TokenFormat,
): Promise<Send> {
  let answer: EncodeAnswer;
  try {
    // Names each field, because a spread of `asked` is slow on Node 20.
    answer = await encoder.encode({ images, stacked, recipe, options, terms, hasUuids, trace, signal });
  } catch (thrown) {
    throw withHint(thrown, hint);
  } finally {
    release();
  }
  return () => sendTokens(reply, { metrics, limits, format }, answer);
}

/** Encodes several images into one file. If all fail, so does the request, with the first failure. */
async function encodeFile(
  reply: FastifyReply,
  { encoder, metrics, limits }: EncodeRouteSettings,
  { images, release }: ReceivedImages,
  asked: Asked,
  fileOf: (outcomes: readonly ImageOutcome<EncodeAnswer>[]) => TokenFile,
): Promise<Send> {
  const outcomes = await Promise.all(encoder.encodeEach({ images, ...asked })).finally(release);
  const { scope } = reply.request;
  const answers = outcomes.flatMap((outcome) => (outcome.kind === 'encoded' ? [outcome.answer] : []));
  for (const answer of answers) scope.hold(answer.release);
  scope.answer = answers[0] && withoutTokens(answers[0]);
  for (const outcome of outcomes) {
    if (outcome.kind === 'encoded') continue;
    const { index, error } = outcome;
    if (answers.length === 0) throw ofImage(index, error);
    scope.note(error);
  }
  const timings = slowest(answers.map((answer) => answer.timings));
  const sources = answers.flatMap((answer) => answer.sources);
  return () => sendFile(reply, { metrics, limits }, () => fileOf(outcomes), { timings, sources });
}

/** The answers of all images; throws the first failure. A message must not lack the part of one of its images. */
function allEncoded(outcomes: readonly ImageOutcome<EncodeAnswer>[]): EncodeAnswer[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === 'failed') throw ofImage(outcome.index, outcome.error);
    return outcome.answer;
  });
}

function ofImage(index: number, error: ServiceError): ServiceError {
  return error.withMessage(`images[${index}]: ${error.message}`);
}

/** Encodes each image into a line of its own, in the order in which they finish. */
function encodeLines(
  reply: FastifyReply,
  { encoder, limits }: EncodeRouteSettings,
  { images, release }: ReceivedImages,
  asked: Asked,
): Send {
  const { scope } = reply.request;
  const outcomes = encoder.encodeEach({ images, ...asked });
  void Promise.all(outcomes).then((all) => {
    release();
    for (const outcome of all) if (outcome.kind === 'encoded') scope.hold(outcome.answer.release);
  });
  // The answer must not hold the list: a line's tokens are freed once the client has read it.
  const sent = lines(inCompletionOrder(outcomes), reply.request);
  return () => new AnswerWriter(reply, limits).sendLines(formatTypes.jsonl[0], sent);
}

/** If every image fails, the log and the metrics count the request as failed. */
async function* lines(
  outcomes: AsyncIterable<ImageOutcome<EncodeAnswer>>,
  request: FastifyRequest,
): AsyncGenerator<AnswerLine, void, void> {
  const { scope } = request;
  for await (const outcome of outcomes) {
    if (outcome.kind === 'failed') scope.note(outcome.error);
    else scope.answer ??= withoutTokens(outcome.answer);
    const tokenBytes = outcome.kind === 'encoded' ? byteLengthOf(outcome.answer.tensor.parts) : 0;
    yield { slices: jsonLine(outcome), sizeBytes: (tokenBytes * 4) / 3 };
    if (outcome.kind === 'encoded') outcome.answer.release();
  }
  if (scope.answer === undefined && scope.failure !== undefined) request.outcome = scope.failure.code;
}

/** Adds a hint to the refusal of an image that cannot be decoded. */
function withHint(thrown: unknown, hint: string): ServiceError {
  const failure = ServiceError.from(thrown);
  return hint !== '' && failure.code === 'invalid_argument'
    ? failure.withMessage(failure.message + hint)
    : failure;
}
