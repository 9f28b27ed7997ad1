import type { Size } from '../../../recipes/plan.ts';
import type { JsonObject } from '../../json-object.ts';
import type { FeatureLayer } from '../../model.ts';
import type { TowerGeometry } from '../../tower-geometry.ts';
import type { ImageProcessor } from '../image-processor.ts';
import type { LinearBuilder } from '../linear-builder.ts';

/** A family of vision language models. Each has a file in this folder and a line in registry.ts. */
export interface Family {
  readonly name: string;
  /** Whether config.json describes a model of this family. */
  readonly matches: (config: JsonObject) => boolean;
  /** Matches the names of the tensors that `read` may ask for, whatever prefix they have; the tower's are not among them. */
  readonly tensors: RegExp;
  /** How the family makes embeddings. Throws `invalid_argument` for a variant that cannot be imported. */
  readonly read: (
    config: JsonObject,
    tower: TowerGeometry,
    options: { /** Whether the tower comes from the projector's checkpoint. */ readonly isOwnTower: boolean },
  ) => ProjectorRecipe;
  /** Describes the tower from its tensors, in families whose config.json does not. */
  readonly describeTower?: (config: JsonObject, shapes: TowerShapes) => DescribedTower;
  /** The repository that has the tower, where the checkpoint has none. */
  readonly towerRepository?: (config: JsonObject) => string | undefined;
}

/** Shapes of a tower's tensors by their names without the tower's prefix. */
export type TowerShapes = ReadonlyMap<string, readonly number[]>;

export interface DescribedTower extends ImageProcessor {
  /** The tower as it is in the checkpoint. */
  readonly geometry: TowerGeometry;
}

/** How features become embeddings: a preparation, where there is one, and then matrix products with gelu between them. */
export interface ProjectorRecipe {
  /** The features that the projector was trained on. */
  readonly features: FeatureLayer;
  readonly preparation?: Preparation | undefined;
  readonly linears: readonly ProjectorLinear[];
  /** Name in the checkpoint of the row that follows each line of an AnyRes map. */
  readonly newline?: string | undefined;
  readonly anyres?: AnyresRecipe | undefined;
  /** Whether the model was trained on images that were padded to squares, which no view is. */
  readonly isPadded?: boolean | undefined;
  /** Width of the language model as config.json has it; undefined where it does not say. */
  readonly languageWidth?: number | undefined;
}

/** A matrix product. Names are those of the checkpoint, with or without `model.` before them. */
export interface ProjectorLinear {
  /** Name of the matrix, [outputs, inputs], or [inputs, outputs] where it is transposed. */
  readonly weight: string;
  readonly transposed?: true;
  /** Name of the bias; there is none when absent. */
  readonly bias?: string | undefined;
}

/** What happens to the features before the first matrix product. */
export interface Preparation {
  /** Everything but weights that decides over the result, for the projector's digest. */
  readonly settled: readonly (string | number)[];
  /** Rows of one view after it. */
  readonly grid: Size;
  /** Width of a row after it. */
  readonly channels: number;
  /** Tensors that it needs: names in the checkpoint, with or without `model.` before them, and shapes. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Adds it to a graph: from float32 [batch, rows of a view, channels] to float32 [batch * rows, channels]. */
  readonly add: (builder: LinearBuilder, features: string, tensors: readonly string[]) => string;
}

export interface AnyresRecipe {
  /** Sizes in pixels of the squares' arrangements, in the checkpoint's order. */
  readonly pinpoints: readonly Size[];
  /** The N of anyres_max_N; 0 for no limit. */
  readonly maxTiles: number;
}
