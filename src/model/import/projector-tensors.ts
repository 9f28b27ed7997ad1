import { invalidArgument } from '../../errors/invalid-argument.ts';
import { shortName } from '../json-object.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { Checkpoint } from './checkpoint.ts';
import type { ProjectorRecipe } from './families/family.ts';
import { linearName, newlineName, preparationName } from './projector-names.ts';
import { rowMajor } from './strided.ts';
import { readWhole, type TensorSource } from './tensor-source.ts';
import { bareName } from './tower-names.ts';
import { weightBytes, type WeightDtype } from './weights.ts';

/** A projector's tensors in a checkpoint, by their names in the graph. A transposed matrix is given as [outputs, inputs]. */
export class ProjectorTensors implements TensorSource {
  readonly #checkpoint: Checkpoint;
  readonly #transposed: ReadonlySet<string>;

  /** Throws `invalid_argument` for a tensor that the recipe needs and the checkpoint lacks. */
  constructor(files: CheckpointFiles, recipe: ProjectorRecipe) {
    const wanted = tensorsOf(recipe);
    const stored = findTensors(files.names(), wanted);
    this.#checkpoint = new Checkpoint(files, { prefix: '', stored });
    this.#transposed = new Set(
      recipe.linears.flatMap(({ transposed }, index) => (transposed ? [`${linearName(index)}.weight`] : [])),
    );
  }

  async shape(tensor: string): Promise<readonly number[]> {
    const shape = await this.#checkpoint.shape(tensor);
    return this.#transposed.has(tensor) ? shape.toReversed() : shape;
  }

  check(tensor: string, shape: readonly number[]): Promise<void> {
    return this.#checkpoint.check(tensor, this.#transposed.has(tensor) ? shape.toReversed() : shape);
  }

  async *read(
    tensor: string,
    dtype: WeightDtype,
    rowElements: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    if (!this.#transposed.has(tensor)) {
      yield* this.#checkpoint.read(tensor, dtype, rowElements);
      return;
    }
    const [outputs = 1, inputs = 1] = await this.shape(tensor);
    const chunks = this.#checkpoint.read(tensor, dtype, outputs);
    const whole = await readWhole(chunks, outputs * inputs * weightBytes[dtype], tensor);
    yield rowMajor(whole, weightBytes[dtype], [outputs, inputs], [1, outputs]);
  }
}

/** Names in the checkpoint of the tensors that a recipe needs, by their names in the graph. */
export function tensorsOf({ preparation, linears, newline }: ProjectorRecipe): ReadonlyMap<string, string> {
  return new Map([
    ...(preparation?.tensors ?? []).map(({ name }, index) => [preparationName(index), name] as const),
    ...linears.flatMap(({ weight, bias }, index) => [
      [`${linearName(index)}.weight`, weight] as const,
      ...(bias === undefined ? [] : [[`${linearName(index)}.bias`, bias] as const]),
    ]),
    ...(newline === undefined ? [] : [[newlineName, newline] as const]),
  ]);
}

/**
 * Finds tensors among a checkpoint's, whatever one prefix stands before all their names; `model.` does not count. Throws
 * `invalid_argument` where the checkpoint lacks one, and says so where it lacks all, or has one twice.
 */
function findTensors(
  names: Iterable<string>,
  wanted: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const fullNames = new Map<string, string[]>();
  for (const name of names) fullNames.set(bareName(name), [...(fullNames.get(bareName(name)) ?? []), name]);
  const prefix = prefixOf([...fullNames.keys()], [...wanted.values()].map(bareName));
  const found = new Map<string, string>();
  const missing: string[] = [];
  for (const [tensor, name] of wanted) {
    const [full, other] = fullNames.get(`${prefix}${bareName(name)}`) ?? [];
    if (other !== undefined) {
      const message = `Tensors ${shortName(full!)} and ${shortName(other)} are the same one.`;
      throw invalidArgument(message);
    }
    if (full === undefined) missing.push(name);
    else found.set(tensor, full);
  }
  const [first] = missing;
  if (first === undefined) return found;
  const message =
    found.size === 0
      ? `The checkpoint has no projector: tensor ${first} is missing. --tower-only imports its vision tower alone, ` +
        'without embeddings.'
      : `The projector is incomplete: tensor ${first} is missing.`;
  throw invalidArgument(message);
}

/** What stands before a projector's names in the checkpoint. Throws `invalid_argument` for two projectors. */
function prefixOf(names: readonly string[], wanted: readonly string[]): string {
  const prefixes = new Set(
    names.flatMap((name) =>
      wanted.flatMap((end) => {
        const isWhole = name === end || name.endsWith(`.${end}`);
        return isWhole ? [name.slice(0, name.length - end.length)] : [];
      }),
    ),
  );
  const [only = '', ...others] = prefixes.has('') ? [''] : prefixes;
  if (others.length === 0) return only;
  const list = [...prefixes].slice(0, 8).map(shortName).join(', ');
  const message = `The checkpoint has ${prefixes.size} projectors, whose tensors have the prefixes ${list}; save one of them alone and import that.`;
  throw invalidArgument(message);
}
