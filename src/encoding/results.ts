import { abortFailure } from '../errors/abort.ts';
import type { AnswerRoom } from '../admission/answer-room.ts';
import type { AnswerSum } from './answer-sum.ts';
import { type Flight, FlightRefused } from './single-flight.ts';
import { imageDigest } from './cache/image-digest.ts';
import type { ResultCache } from './cache/token-cache.ts';
import { resultKey } from './cache/token-key.ts';
import { type FlightParts, flyOut, type LandedImage, type OwnFlight } from './fly-out.ts';
import type { Model } from '../model/model.ts';
import type { EncodeRequest } from './request.ts';
import type { AnswerSource } from '../telemetry/stage-timings.ts';
import { usualTerms } from '../admission/priority.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import type { Trace } from '../telemetry/trace.ts';

/** The parts by which a request comes by its images' tokens. */
export interface ResultParts extends FlightParts {
  readonly cache: ResultCache;
  /** Whether what one caller had encoded may answer another. */
  readonly shareCache: boolean;
}

/** An image's tokens, as a request comes by them. */
export interface Result extends Omit<LandedImage, 'source'> {
  readonly source: AnswerSource;
  readonly key: string | undefined;
}

/** A request whose answer's bytes are counted. */
export interface AnsweredRequest extends EncodeRequest {
  readonly answer: AnswerSum;
  /** What it has encoded takes room there first. */
  readonly room: AnswerRoom;
  /** Whether others' images are in the answer. */
  readonly isPart: boolean;
}

/** Waits for a result, until the signal fires. To be called at once: what nobody waits for is given up. */
export type WaitForResult = (signal: AbortSignal) => Promise<Result>;

/**
 * The way to each image's tokens: the cache has them, or another request has begun them, or this one does. Only what
 * this one begins needs room in the queue.
 */
export async function resultsOf(
  parts: ResultParts,
  model: Model,
  request: AnsweredRequest,
  deadlineAt: number,
): Promise<readonly WaitForResult[]> {
  const keys = await keysOf(parts, model, request);
  const { images, signal, trace } = request;
  if (signal.aborted) throw abortFailure(signal);
  const keyed = images.map((image, index) => ({
    image,
    key: keys[index],
    trace: images.length > 1 ? trace?.ofImage(index) : trace,
  }));
  return waysTo(parts, model, request, keyed, deadlineAt);
}

interface KeyedImage {
  readonly image: EncodeRequest['images'][number];
  readonly key: string | undefined;
  readonly trace: Trace | undefined;
}

function waysTo(
  parts: ResultParts,
  model: Model,
  request: AnsweredRequest,
  images: readonly KeyedImage[],
  deadlineAt: number,
): readonly WaitForResult[] {
  const own: OwnFlight[] = [];
  const waits = images.map(({ image, key, trace }): WaitForResult => {
    if (key !== undefined) {
      const cached = parts.cache.get(key);
      if (cached !== undefined) return async () => ({ ...cached, key, source: 'hit', timings: noTime });
      const underWay = parts.flights.find(flightKey(key, request));
      if (underWay !== undefined) {
        return async (all) => {
          try {
            return { ...(await joined(parts, underWay, all, deadlineAt, trace)), key };
          } catch (thrown) {
            if (!(thrown instanceof FlightRefused) || holdsFor(thrown, request, image)) throw thrown;
            const [again] = waysTo(parts, model, request, [{ image, key, trace }], deadlineAt);
            return await again!(all);
          }
        };
      }
    }
    const flight = parts.flights.start(key === undefined ? undefined : flightKey(key, request));
    own.push({ image, key, flight, trace });
    return async (all) => ({ ...(await flight.join(all, deadlineAt)), key });
  });
  const { recipe, options, terms = usualTerms, answer, room, isPart } = request;
  if (own.length > 0) void flyOut(parts, own, { model, recipe, options, place: terms, answer, room, isPart });
  return waits;
}

/**
 * Whether what another request was refused for holds for this one too. Of many that wait for the same not each is
 * then refused by itself, one after the other; one that asks for less, or for another caller, begins anew.
 */
function holdsFor(
  { code, beginner }: FlightRefused,
  { images, terms = usualTerms }: EncodeRequest,
  image: EncodeRequest['images'][number],
): boolean {
  if (code === 'not_found') return image.kind === 'digest';
  return (
    beginner !== undefined && beginner.caller.name === terms.caller.name && beginner.images <= images.length
  );
}

/** The images' keys in the cache; undefined where nothing is to be looked up or kept. */
async function keysOf(
  { served, shareCache }: ResultParts,
  model: Model,
  { images, recipe, options, terms = usualTerms }: EncodeRequest,
): Promise<readonly (string | undefined)[]> {
  // A digest asks for nothing but what is kept.
  if (terms.noStore && images.every(({ kind }) => kind !== 'digest')) return [];
  const owner = shareCache ? undefined : terms.caller.name;
  const models = served.map((one) => one.model);
  const digests = await Promise.all(images.map(imageDigest));
  return digests.map((image) => resultKey({ image, model, models, recipe, options, owner }));
}

/** An interactive request does not wait for bulk's turn. */
function flightKey(key: string, { terms = usualTerms }: EncodeRequest): string {
  return `${terms.priority} ${key}`;
}

/** What another request began; all of the wait was in a queue. */
async function joined(
  { now }: ResultParts,
  flight: Flight<LandedImage>,
  signal: AbortSignal,
  deadlineAt: number,
  trace: Trace | undefined,
): Promise<Omit<Result, 'key'>> {
  const start = now();
  const result = await flight.join(signal, deadlineAt);
  trace?.stage('joined', start, now());
  return { ...result, source: 'joined', timings: { ...noTime, queueMs: now() - start } };
}
