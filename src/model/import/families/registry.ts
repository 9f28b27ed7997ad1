import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { type JsonObject, shortJson } from '../../json-object.ts';
import type { Family } from './family.ts';
import { gemma3 } from './gemma3.ts';
import { idefics3, smolvlm } from './idefics3.ts';
import { llavaNext } from './llava-next.ts';
import { llavaOnevision } from './llava-onevision.ts';
import { llavaOriginal } from './llava-original.ts';
import { llava } from './llava.ts';
import { paligemma } from './paligemma.ts';

/** Every family of vision language models whose embeddings can be made. */
export const families: readonly Family[] = [
  llava,
  llavaNext,
  llavaOnevision,
  llavaOriginal,
  paligemma,
  gemma3,
  idefics3,
  smolvlm,
];

/** Types of models that are a tower, or have no language model beside it that takes the tower's tokens. */
const towerTypes: ReadonlySet<unknown> = new Set([
  'siglip',
  'siglip_vision_model',
  'siglip2',
  'siglip2_vision_model',
  'clip',
  'clip_vision_model',
]);

/** The family of the model that config.json describes; undefined for a tower alone and for a family that is not known. */
export function findFamily(config: JsonObject): Family | undefined {
  return families.find(({ matches }) => matches(config));
}

/** Throws `invalid_argument` for a language model of a family that is not known. */
export function requireKnownFamily(config: JsonObject): void {
  if (findFamily(config) !== undefined || !isLanguageModel(config)) return;
  const architectures: unknown = config.get('architectures');
  const title: unknown =
    config.get('model_type') ?? (Array.isArray(architectures) ? architectures[0] : undefined);
  const message =
    `${config.where}: the family ${shortJson(title)} is not known, so its embeddings cannot be made; known are ` +
    `${families.map(({ name }) => name).join(', ')}. --tower-only imports its vision tower alone.`;
  throw invalidArgument(message);
}

/** Whether a checkpoint's tensors describe its tower, so that it needs no image processor's file. */
export function describesItself(config: JsonObject): boolean {
  return findFamily(config)?.describeTower !== undefined;
}

/** Whether a model has a language model: one that only compares images with texts is a tower. */
export function isLanguageModel(config: JsonObject): boolean {
  if (towerTypes.has(config.get('model_type'))) return false;
  return findFamily(config) !== undefined || (config.has('text_config') && config.has('vision_config'));
}
