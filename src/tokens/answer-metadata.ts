import type { FeatureLayer } from '../model/model.ts';
import type { AnyresGeometry, Size, TeacherMakeup } from '../recipes/plan.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { TokenDtype } from './tensor.ts';

/** What an answer says of itself: travels with the tokens in every format and on both transports. */
export interface AnswerMetadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly recipe: RecipeOptions['recipe'];
  readonly features: FeatureLayer;
  readonly precision: string;
  readonly dtype: TokenDtype;
  /** [tokens, channels], with assembly=tiles [views, tokens, channels]; several images put their number before it. */
  readonly shape: readonly number[];
  /** Tokens across and down; for anyres, of the base view. */
  readonly grid: Size;
  /** Views that the model encoded for each image. */
  readonly views: number;
  /** How a teacher's answer came about. */
  readonly teacher?: TeacherMakeup;
  /** Where an anyres answer's tokens lie. */
  readonly anyres?: AnyresGeometry;
  /** Decoded size of each image in pixels, after EXIF orientation was applied. */
  readonly images: readonly Size[];
}
