import { createHash } from 'node:crypto';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { TowerGeometry } from '../tower-geometry.ts';
import type { Preparation } from './families/family.ts';
import { linearName, newlineName, preparationName } from './projector-names.ts';
import type { FoundProjector } from './projector-source.ts';
import { ProjectorTensors } from './projector-tensors.ts';
import { readWhole } from './tensor-source.ts';

/** A matrix product of a projector whose tensors were found. */
export interface SizedLinear {
  /** Its name in the graph; `.weight` and `.bias` follow. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
}

/** A projector as it goes into a model folder. */
export interface ProjectorContents {
  readonly family: string;
  readonly digest: string;
  readonly preparation: Preparation | undefined;
  readonly linears: readonly SizedLinear[];
  /** The newline's row as float32, little-endian. */
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
  readonly source: ProjectorTensors;
}

/**
 * Reads what a recipe says of a projector from its tensors. Rejects with `invalid_argument` where its matrices do not fit each
 * other, the tower and the language model; writeModelFolder checks the other shapes.
 */
export async function readProjector(
  { family, recipe, files }: FoundProjector,
  { channels }: TowerGeometry,
): Promise<ProjectorContents> {
  const { preparation, newline, languageWidth } = recipe;
  const source = new ProjectorTensors(files, recipe);
  const linears: SizedLinear[] = [];
  let width = preparation?.channels ?? channels;
  for (const [index, { weight, bias }] of recipe.linears.entries()) {
    const name = linearName(index);
    const [outputs = 0, inputs = 0, ...more] = await source.shape(`${name}.weight`);
    if (outputs === 0 || inputs === 0 || more.length > 0)
      throw invalidArgument(`Tensor ${weight} is no matrix.`);
    if (inputs !== width) {
      const before =
        index > 0 ? 'the matrix before it gives' : `the vision tower's ${channels} channels give rows of`;
      throw invalidArgument(
        `The projector does not fit: ${weight} takes rows of ${inputs}, but ${before} ${width}.`,
      );
    }
    linears.push({ name, inputs, outputs, bias: bias !== undefined });
    width = outputs;
  }
  if (languageWidth !== undefined && languageWidth !== width) {
    throw invalidArgument(
      `The projector gives rows of ${width} values, and config.json's language model takes ${languageWidth}.`,
    );
  }
  if (newline !== undefined) await source.check(newlineName, [width]);
  const digest = await digestOf(preparation, linears, newline !== undefined, source);
  const row =
    newline === undefined
      ? undefined
      : await readWhole(source.read(newlineName, 'float32', 1), width * 4, newlineName);
  return { family, digest, preparation, linears, newline: row, source };
}

/** The same for the same values, whatever their names and dtype in the checkpoint. */
async function digestOf(
  preparation: Preparation | undefined,
  linears: readonly SizedLinear[],
  hasNewline: boolean,
  source: ProjectorTensors,
): Promise<string> {
  const sizes = linears.map(({ inputs, outputs, bias }) => [inputs, outputs, bias]);
  const settled = [preparation?.settled ?? [], 'gelu', sizes, hasNewline];
  const hash = createHash('sha256').update(JSON.stringify(settled));
  const tensors: (readonly [string, number])[] = [
    ...(preparation?.tensors ?? []).map(
      ({ shape }, index) => [preparationName(index), shape.at(-1) ?? 1] as const,
    ),
    ...linears.flatMap(({ name, inputs, bias }) => [
      [`${name}.weight`, inputs] as const,
      ...(bias ? [[`${name}.bias`, 1] as const] : []),
    ]),
    ...(hasNewline ? [[newlineName, 1] as const] : []),
  ];
  for (const [name, rowElements] of tensors) {
    for await (const chunk of source.read(name, 'float32', rowElements)) hash.update(chunk);
  }
  return `sha256:${hash.digest('hex')}`;
}
