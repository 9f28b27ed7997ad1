import { invalidArgument } from '../../errors/invalid-argument.ts';
import { type JsonObject, shortName } from '../json-object.ts';
import { families, findFamily } from './families/registry.ts';
import { findTower, hasTower, towerTensorNames, unwrapped } from './tower-names.ts';

/** What an import takes of a checkpoint. `model` is the tower, and the projector where the checkpoint has one. */
export type CheckpointPart = 'model' | 'tower' | 'projector';

/**
 * Names of the tensors that an import of this part reads. `source` is the checkpoint in messages. Throws
 * `invalid_argument` where they are missing.
 */
export function neededTensors(
  names: readonly string[],
  config: JsonObject | undefined,
  part: CheckpointPart,
  source: string,
): string[] {
  if (part !== 'projector' && config !== undefined) requireTower(names, config, source);
  const family = config && findFamily(config);
  const tower = part === 'projector' ? [] : towerTensorNames(findTower(names));
  if (part === 'tower' || (part === 'model' && family === undefined)) return tower;
  const kinds = family === undefined ? families : [family];
  const projector = names.filter((name) => kinds.some(({ tensors }) => tensors.test(unwrapped(name))));
  if (part === 'projector' && projector.length === 0) {
    const where = config === undefined ? 'The checkpoint' : `${config.where}: the checkpoint`;
    throw invalidArgument(`${where} has no tensors of a projector.`);
  }
  return [...tower, ...projector];
}

/** Throws `invalid_argument` for a checkpoint without a tower whose configuration names the tower's repository. */
export function requireTower(names: readonly string[], config: JsonObject, source: string): void {
  const named = findFamily(config)?.towerRepository?.(config);
  if (named === undefined || hasTower(names)) return;
  const repository = shortName(named);
  throw invalidArgument(
    `${config.where}: the checkpoint has no vision tower of its own; it uses ${repository}. To import both: ` +
      `siglip-hd import ${repository} --projector ${source} --out FOLDER`,
  );
}
