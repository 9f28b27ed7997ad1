import type { Corpus, FuzzCase, FuzzInput } from './case.ts';
import { mutatedForm } from './forms.ts';
import { mutatedFrames, mutatedMessages, rawFrames } from './grpc-cases.ts';
import { anImage, encodeRoutes } from './ingredients.ts';
import { jsonBody } from './json-cases.ts';
import { mutateImage } from './mutate-image.ts';
import { openInferenceBody, openInferenceMessage } from './open-inference-cases.ts';
import { oddHeaders, oddOptions, oddRoutes } from './options.ts';
import { caseRandom, pick, pickWeighted, type Random } from './random.ts';
import { rawHttp } from './raw-http.ts';

type Make = (corpus: Corpus, random: Random) => FuzzInput;

/** How often each kind comes, and how it is made. */
const makers: readonly (readonly [weight: number, make: Make])[] = [
  [38, mutatedImage],
  [10, mutatedForm],
  [10, jsonBody],
  [9, oddOptions],
  [5, oddHeaders],
  [3, oddRoutes],
  [8, rawHttp],
  [12, mutatedMessages],
  [3, mutatedFrames],
  [2, rawFrames],
  [9, openInferenceMessage],
  [9, openInferenceBody],
];

/** Case `number` of the seed. */
export function fuzzCase(corpus: Corpus, seed: number, number: number): FuzzCase {
  const random = caseRandom(seed, number);
  return { number, ...pickWeighted(random, makers)(corpus, random) };
}

function mutatedImage(corpus: Corpus, random: Random): FuzzInput {
  const { format, bytes } = anImage(corpus, random);
  const body = mutateImage(bytes, anImage(corpus, random).bytes, random);
  const what = `a mutated ${format}`;
  return { kind: 'http', what, method: 'POST', path: pick(random, encodeRoutes), headers: {}, body };
}
