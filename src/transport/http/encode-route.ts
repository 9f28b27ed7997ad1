import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArrivingRoom } from '../../admission/arriving-room.ts';
import type { AdmitBytes } from '../../admission/byte-budget.ts';
import type { Caller } from '../../admission/caller.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { parseOptions } from '../request-options.ts';
import type { EncodeAnswer, EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { requireDtype, type TokenFormat } from '../../tokens/formats/format.ts';
import type { ImageOutcome } from '../../tokens/formats/image-outcome.ts';
import { jsonLine } from '../../tokens/formats/json.ts';
import { safetensorsImagesFile } from '../../tokens/formats/safetensors.ts';
import { chooseFormat, formatTypes } from './answer-format.ts';
import type { Exchange } from './answer-writer.ts';
import { inCompletionOrder } from '../../encoding/outcome-order.ts';
import { slowest } from '../../telemetry/stage-timings.ts';
import { sendFile, sendTokens } from './send-tokens.ts';
import { termsOf } from './terms.ts';
import { singleValues } from './query.ts';
import { type BodyLimits, type ReadPixels, type RequestImages, requestImages } from './request-images.ts';

export interface EncodeRouteSettings {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly readPixels: ReadPixels;
  readonly admitBody: AdmitBytes;
  readonly limits: BodyLimits;
}

/** What a request's query asks for. */
type Asked = Pick<EncodeRequest, 'recipe' | 'options' | 'terms' | 'trace'>;

interface ReceivedImages extends RequestImages {
  /** Frees the body's room; to be called when the images have been encoded, not when a slow client has read. */
  readonly release: () => void;
}

/** Answers one encode of any recipe. What can be refused before the body is read is refused then. */
export async function answerEncode(
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
  settings: EncodeRouteSettings,
  recipe: RecipeOptions['recipe'],
): Promise<void> {
  const { format: wanted, ...query } = singleValues(request.query);
  const { trace } = exchange;
  const asked = { ...parseOptions(recipe, query, ['format']), terms: termsOf(request, exchange), trace };
  const format = chooseFormat(wanted, request.headers.accept);
  if (format !== 'jsonl') requireDtype(format, asked.options.dtype);
  // So that it is not told of one image after the other.
  if (format === 'jsonl' || format === 'safetensors') settings.encoder.validate(asked);
  const send = await encodeBody(request, reply, exchange, settings, asked, format);
  await send();
}

/** Sends an answer. Holds nothing of what it is the answer to, however slowly it is read. */
type Send = () => Promise<void>;

/** Has the images of the body encoded, and lets go of them; where they are sent as they come, begins to. */
async function encodeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
  settings: EncodeRouteSettings,
  asked: Asked,
  format: TokenFormat | 'jsonl',
): Promise<Send> {
  const askedAt = performance.now();
  const received = await receive(request, reply, settings, exchange.caller);
  exchange.trace?.stage('receive', askedAt, performance.now());
  if (format === 'jsonl') return encodeLines(exchange, settings, received, asked);
  if (format === 'safetensors' && received.stacked) {
    return await encodeFile(exchange, settings, received, asked);
  }
  return await encodeTensor(exchange, settings, received, asked, format);
}

async function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  { admitBody, limits, readPixels }: EncodeRouteSettings,
  caller: Caller,
): Promise<ReceivedImages> {
  const admit = (sizeBytes: number) => admitBody(sizeBytes, caller);
  const room = new ArrivingRoom(admit, declaredBytes(request, limits));
  const onArrive = (sizeBytes: number): void => room.add(sizeBytes);
  try {
    const images = await requestImages(request, reply, limits, onArrive, readPixels);
    return { ...images, release: () => room.release() };
  } catch (thrown) {
    room.release();
    throw thrown;
  }
}

/** One tensor, of one image or of several stacked. */
async function encodeTensor(
  exchange: Exchange,
  { encoder, metrics }: EncodeRouteSettings,
  { images, stacked, release }: ReceivedImages,
  asked: Asked,
  format: TokenFormat,
): Promise<Send> {
  const { signal } = exchange;
  const answer = await encoder.encode({ images, stacked, ...asked, signal }).finally(release);
  return async () => await sendTokens(exchange, metrics, format, answer);
}

/** One safetensors file of several images. Where none could be encoded the first one's failure is the request's. */
async function encodeFile(
  exchange: Exchange,
  { encoder, metrics }: EncodeRouteSettings,
  { images, release }: ReceivedImages,
  asked: Asked,
): Promise<Send> {
  const { signal } = exchange;
  const outcomes = await Promise.all(encoder.encodeEach({ images, ...asked, signal })).finally(release);
  const answers = outcomes.flatMap((outcome) => (outcome.kind === 'encoded' ? [outcome.answer] : []));
  for (const { release: done } of answers) exchange.hold(done);
  exchange.answer = answers[0] && withoutTokens(answers[0]);
  for (const outcome of outcomes) {
    if (outcome.kind === 'encoded') continue;
    if (answers.length === 0)
      throw outcome.error.saying(`images[${outcome.index}]: ${outcome.error.message}`);
    exchange.note(outcome.error);
  }
  const timings = slowest(answers.map((answer) => answer.timings));
  const sources = answers.flatMap((answer) => answer.sources);
  return async () =>
    await sendFile(exchange, metrics, () => safetensorsImagesFile(outcomes), { timings, sources });
}

/** A line for each image, as they come. */
function encodeLines(
  exchange: Exchange,
  { encoder }: EncodeRouteSettings,
  { images, release }: ReceivedImages,
  asked: Asked,
): Send {
  const outcomes = encoder.encodeEach({ images, ...asked, signal: exchange.signal });
  void Promise.all(outcomes).then((all) => {
    release();
    for (const outcome of all) if (outcome.kind === 'encoded') exchange.hold(outcome.answer.release);
  });
  return async () =>
    await exchange.stream(200, { 'content-type': formatTypes.jsonl[0] }, lines(outcomes, exchange));
}

async function* lines(
  outcomes: readonly Promise<ImageOutcome<EncodeAnswer>>[],
  exchange: Exchange,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const outcome of inCompletionOrder(outcomes)) {
    if (outcome.kind === 'failed') exchange.note(outcome.error);
    else exchange.answer ??= withoutTokens(outcome.answer);
    yield* jsonLine(outcome);
    if (outcome.kind === 'encoded') outcome.answer.release();
  }
}

/** What the client says it sends, or the most that it may send when it does not say. */
function declaredBytes(request: FastifyRequest, limits: BodyLimits): number {
  const declared = request.headers['content-length'];
  return declared === undefined ? limits.maxBodyBytes : Math.min(Number(declared), limits.maxBodyBytes);
}
