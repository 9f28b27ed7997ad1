import { priorities, type Priority, type RequestTerms } from '../../admission/priority.ts';
import type { Model } from '../../model/model.ts';
import type { TokenOutput } from '../../recipes/plan.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import type { OptionWords } from '../option-words.ts';
import { type AskedOptions, parseOptions, requestOptions } from '../request-options.ts';
import { type InferRequest, invalid, mostEntries, type ParameterValue, quotedName } from './infer-request.ts';

/** The names of a model's outputs. An answer has one of them. */
export const outputNames = {
  features: 'tokens',
  embeddings: 'embeddings',
  pooled: 'pooled',
} as const satisfies Record<TokenOutput, string>;

/** The parameters of the protocol itself. */
const protocolParameters = ['priority', 'timeout', 'binary_data_output'] as const;

const recipes = Object.keys(requestOptions) as RecipeOptions['recipe'][];

/** An infer request without its images. */
export interface AskedInference extends AskedOptions {
  readonly terms: RequestTerms;
  readonly outputName: string;
}

/**
 * Reads the parameters and requested outputs of a request. `terms` are those of its headers or metadata. Throws
 * `invalid_argument`.
 */
export function askedOf(request: InferRequest, model: Model, terms: RequestTerms): AskedInference {
  if (request.parameters.size > mostEntries) throw invalid(`The request has over ${mostEntries} parameters.`);
  const output = outputOf(request, model);
  const { recipe, options } = optionsOf(request, model, output);
  return { recipe, options, terms: termsOf(request, terms), outputName: outputNames[output] };
}

function outputOf({ outputs }: InferRequest, model: Model): TokenOutput {
  const names = outputsOf(model).map((output): string => outputNames[output]);
  for (const { name, parameters } of outputs) {
    if (!names.includes(name)) {
      throw invalid(
        `The model "${model.name}" has no output ${quotedName(name)}; ` +
          `${names.length === 1 ? 'its only output is' : 'its outputs are'} ${names.join(', ')}.`,
      );
    }
    if (Number(parameters.get('classification') ?? 0) !== 0) {
      throw invalid(`The output "${name}" cannot be classified: it is a tensor of features.`);
    }
    if (parameters.has('shared_memory_region')) {
      throw invalid(`The output "${name}" is answered in the response: shared memory is not supported.`);
    }
  }
  const asked = new Set(outputs.map(({ name }) => name));
  if (asked.size > 1) {
    throw invalid(
      `A request answers one output: name ${names.join(' or ')}, and send another request for the other.`,
    );
  }
  return outputsOf(model).find((output) => asked.has(outputNames[output])) ?? 'features';
}

/** The outputs of a model. */
export function outputsOf({ projector, outputs }: Model): readonly TokenOutput[] {
  return [
    'features',
    ...(projector === undefined ? [] : ['embeddings' as const]),
    ...(outputs?.pooledChannels === undefined ? [] : ['pooled' as const]),
  ];
}

function optionsOf({ parameters }: InferRequest, model: Model, output: TokenOutput): AskedOptions {
  const { recipe: name = 'encode', ...given } = Object.fromEntries(parameters);
  const recipe = recipes.find((known) => known === name);
  if (recipe === undefined) {
    throw invalid(
      `The parameter recipe is ${quotedName(String(name))}; it must be one of ${recipes.join(', ')}.`,
    );
  }
  for (const other of ['model', 'output']) {
    if (!parameters.has(other)) continue;
    throw invalid(
      `${other} is not a parameter here: the request names its model, and its output among the outputs.`,
    );
  }
  for (const known of protocolParameters) delete given[known];
  const record = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]));
  const transportOptions = ['recipe', ...protocolParameters];
  return parseOptions(recipe, { ...record, model: model.name, output }, transportOptions, parameterWords);
}

/** How the sentences about parameters name them. The request names its model and output elsewhere. */
const parameterWords = {
  noun: 'parameter',
  ownerOf: (recipe: RecipeOptions['recipe']) => `recipe=${recipe}`,
  unlisted: ['model', 'output'],
} as const satisfies OptionWords;

/** Triton's priorities: 0 is the default and 1 the highest; larger numbers are lower. */
function priorityOf(value: ParameterValue): Priority {
  if (typeof value !== 'string') return Number(value) > 1 ? 'bulk' : 'interactive';
  const known = priorities.find((priority) => priority === value);
  if (known !== undefined) return known;
  throw invalid(
    `The parameter priority is ${quotedName(value)}; it must be ${priorities.join(' or ')}, or a number: 0 and 1 are interactive, ` +
      'larger ones bulk.',
  );
}

/** The parameter `timeout` is in microseconds, from when the request has arrived. */
function termsOf({ parameters }: InferRequest, terms: RequestTerms): RequestTerms {
  const [given, timeout] = [parameters.get('priority'), parameters.get('timeout')];
  const priority = given === undefined ? terms.priority : priorityOf(given);
  const timeoutUs = timeout === undefined ? 0 : Number(timeout);
  if (!Number.isSafeInteger(timeoutUs) || timeoutUs < 0) {
    throw invalid(
      `The parameter timeout is ${quotedName(String(timeout))}; it must be a whole number of microseconds.`,
    );
  }
  const deadlineAt = Math.min(
    terms.deadlineAt ?? Number.POSITIVE_INFINITY,
    timeoutUs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutUs / 1000,
  );
  return {
    ...terms,
    priority: terms.caller.bulkOnly ? 'bulk' : priority,
    ...(deadlineAt === Number.POSITIVE_INFINITY ? {} : { deadlineAt }),
  };
}
