import { invalidArgument } from '../../errors/invalid-argument.ts';
import { shortName } from '../json-object.ts';
import type { TowerGeometry } from '../tower-geometry.ts';

/** Each vision tower has one tensor whose name ends so; what stands before it is the tower's prefix. */
const telltale = 'embeddings.patch_embedding.weight';

/** Parts of names that torch.compile, FSDP and activation checkpointing add. */
const wrapper = /(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;

/** How the names of a tower's own tensors begin. */
const towerPart = /^(embeddings|encoder|pre_layrnorm|post_layernorm)\./;
/** Those that pool its tokens: SigLIP's head, and CLIP's projection. */
const poolingPart = /^(head|visual_projection)\./;

const norms = ['layer_norm1', 'layer_norm2'];
const linears = [...['q', 'k', 'v', 'out'].map((part) => `self_attn.${part}_proj`), 'mlp.fc1', 'mlp.fc2'];
const parameters = (module: string) => [`${module}.weight`, `${module}.bias`];
const layerTensors: ReadonlySet<string> = new Set([...norms, ...linears].flatMap(parameters));

const shared = [telltale, 'embeddings.position_embedding.weight', 'embeddings.position_ids'];
const otherTensors = {
  siglip: new Set([...shared, 'embeddings.patch_embedding.bias', ...parameters('post_layernorm')]),
  clip: new Set([
    ...shared,
    'embeddings.class_embedding',
    ...parameters('pre_layrnorm'),
    ...parameters('post_layernorm'),
  ]),
} as const;

/** Makes CLIP's pooled vector from its class token. Its name has the tower's prefix without `vision_model.`. */
export const projectionTensor = 'visual_projection.weight';

/** The one vision tower among a checkpoint's tensors. */
export interface FoundTower {
  /** How its tensors' names begin: '' or parts that end with a dot. */
  readonly prefix: string;
  /** Names in the checkpoint, by the names without the prefix; {@link projectionTensor} among them. */
  readonly stored: ReadonlyMap<string, string>;
}

/**
 * Finds the vision tower among the names of a checkpoint's tensors, whatever prefix they have. Throws
 * `invalid_argument` when there is none, or more than one.
 */
export function findTower(names: Iterable<string>): FoundTower {
  const bareNames = [...names].map((name) => [unwrapped(name), name] as const);
  const prefixes = bareNames.flatMap(([name]) => prefixOf(name) ?? []);
  const [prefix, ...others] = prefixes;
  if (prefix === undefined) {
    throw invalidArgument(
      `The checkpoint has no SigLIP or CLIP vision tower: no tensor is named ${telltale}, with or without a prefix; ` +
        `its tensors are ${beginnings(bareNames.map(([name]) => name))}.`,
    );
  }
  if (others.length > 0) {
    const list = prefixes.slice(0, 8).map((each) => (each === '' ? 'none' : shortName(each)));
    throw invalidArgument(
      `The checkpoint has ${prefixes.length} vision towers, whose tensors have the prefixes ${list.join(', ')}; ` +
        'save one of them alone and import that.',
    );
  }
  const stored = new Map<string, string>();
  const projection = `${prefix.replace(/vision_model\.$/, '')}${projectionTensor}`;
  for (const [unwrappedName, full] of bareNames) {
    const isInside = unwrappedName.startsWith(prefix);
    if (!isInside && unwrappedName !== projection) continue;
    const name = isInside ? unwrappedName.slice(prefix.length) : projectionTensor;
    if (stored.has(name))
      throw invalidArgument(
        `Tensors ${shortName(stored.get(name)!)} and ${shortName(full)} are the same one.`,
      );
    stored.set(name, full);
  }
  return { prefix, stored };
}

export function hasTower(names: Iterable<string>): boolean {
  return [...names].some((name) => prefixOf(unwrapped(name)) !== undefined);
}

/** A tensor's name without what wrappers add and without `model.` before it. */
export function bareName(name: string): string {
  return unwrapped(name).replace(/^model\./, '');
}

/** A tensor's name without the parts that wrappers add. */
export function unwrapped(name: string): string {
  return name.replace(wrapper, '').replace(/^\./, '');
}

/** Names in the checkpoint of the tower's own tensors and those that pool its tokens: an import reads no others. */
export function towerTensorNames({ stored }: FoundTower): string[] {
  return [...stored].flatMap(([name, full]) =>
    towerPart.test(name) || poolingPart.test(name) ? [full] : [],
  );
}

/** Names in the checkpoint of tensors beside those of {@link towerTensorNames}, which are left out. */
export function tensorsBeside({ stored }: FoundTower): string[] {
  return [...stored].flatMap(([name, full]) =>
    towerPart.test(name) || poolingPart.test(name) ? [] : [shortName(full)],
  );
}

/**
 * Throws `invalid_argument` if the tower has more or fewer layers than its geometry says, or a tensor that does not
 * belong to such a tower: leaving it out would give wrong tokens.
 */
export function requireTensorsOf({ stored }: FoundTower, { architecture, layers }: TowerGeometry): void {
  const indices = new Set<number>();
  for (const [name, full] of stored) {
    const [, index, tensor] = /^encoder\.layers\.(\d{1,4})\.(.+)$/.exec(name) ?? [];
    if (index !== undefined) indices.add(Number(index));
    const isKnown = tensor === undefined ? otherTensors[architecture].has(name) : layerTensors.has(tensor);
    if (!isKnown && towerPart.test(name)) {
      throw invalidArgument(
        `Tensor ${shortName(full)} of the vision tower does not belong to a ${titles[architecture]} tower; ` +
          'leaving it out would give wrong tokens.',
      );
    }
  }
  const count = Math.max(-1, ...indices) + 1;
  const missing = Array.from({ length: Math.max(count, layers) }, (_, index) => index).filter(
    (index) => !indices.has(index),
  );
  if (missing.length > 0) {
    const which = `layer${missing.length === 1 ? '' : 's'} ${ranges(missing)}`;
    throw invalidArgument(
      `The checkpoint has no tensors of ${which} of the vision tower, counted from 0, and config.json says num_hidden_layers ` +
        `${layers}: get the whole checkpoint, or correct config.json if it is wrong.`,
    );
  }
  if (count === layers) return;
  throw invalidArgument(
    `The vision tower has ${count} layers, but config.json says num_hidden_layers ${layers}: set it to ${count} for the whole ` +
      'tower, and choose the layer with --features.',
  );
}

/** Ascending numbers in words: `2`, `2 to 6`, `0, 2 to 6`. */
function ranges(numbers: readonly number[]): string {
  const starts = numbers.filter((number, at) => numbers[at - 1] !== number - 1);
  const ends = numbers.filter((number, at) => numbers[at + 1] !== number + 1);
  return starts.map((start, at) => (start === ends[at] ? `${start}` : `${start} to ${ends[at]}`)).join(', ');
}

const titles = { siglip: 'SigLIP', clip: 'CLIP' } as const;

function prefixOf(name: string): string | undefined {
  if (!name.endsWith(telltale)) return undefined;
  const prefix = name.slice(0, -telltale.length);
  return prefix === '' || prefix.endsWith('.') ? prefix : undefined;
}

/** The first parts of names, for a message. */
function beginnings(names: readonly string[]): string {
  const parts = [...new Set(names.map((name) => name.split('.', 1)[0]!))];
  if (parts.length === 0) return 'none';
  const shown = parts.slice(0, 8).map((part) => `${shortName(part)}...`);
  return `${shown.join(', ')}${parts.length > shown.length ? ` and ${parts.length - shown.length} other kinds` : ''}`;
}
