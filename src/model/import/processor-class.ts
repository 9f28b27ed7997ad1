import type { Resample } from '../../recipes/plan.ts';
import type { Architecture } from '../tower-geometry.ts';

/** The defaults of an image processor of transformers, and what is special about it. */
export interface ProcessorClass {
  readonly resample: Resample;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** `size`: a square, or the length of the shorter edge. */
  readonly size: { readonly kind: 'square' | 'shortest edge'; readonly side: number };
  /** What a single number as `size` means, if the middle is cut out afterwards. */
  readonly numberIs: 'square' | 'shortest edge';
  /** Side of the middle that is cut out; nothing is cut out when absent. */
  readonly cropSide?: number;
  /** Makes tiles and a view of the whole image, which it squashes whatever `size` and `do_center_crop` say. */
  readonly tiles?: true;
  /** Resizes the longer side to this first, and then both sides to `size`. */
  readonly fitSide?: number;
  /** `do_pad` pads an image to a square. */
  readonly padsToSquare?: true;
}

const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
const openai = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
const square = (side: number) => ({ size: { kind: 'square', side }, numberIs: 'square' }) as const;

const siglip: ProcessorClass = { ...half, ...square(224), resample: 'bicubic', numberIs: 'shortest edge' };
const clip: ProcessorClass = {
  ...openai,
  resample: 'bicubic',
  size: { kind: 'shortest edge', side: 224 },
  numberIs: 'shortest edge',
  cropSide: 224,
};
const vit: ProcessorClass = { ...half, ...square(224), resample: 'bilinear' };
const tiled = (side: number): ProcessorClass => ({
  ...openai,
  ...square(side),
  resample: 'bicubic',
  tiles: true,
});

const idefics3: ProcessorClass = { ...half, ...square(364), resample: 'lanczos', fitSide: 4 * 364 };

/** The classes of transformers 5.18, which are those of 4.57, by image_processor_type without its suffix Fast or Pil. */
const classes: ReadonlyMap<string, ProcessorClass> = new Map([
  ['SiglipImageProcessor', siglip],
  ['CLIPImageProcessor', clip],
  ['ViTImageProcessor', vit],
  ['DeiTImageProcessor', { ...half, ...square(256), resample: 'bicubic', cropSide: 224 }],
  ['BitImageProcessor', clip],
  ['ChineseCLIPImageProcessor', clip],
  ['BlipImageProcessor', { ...openai, ...square(384), resample: 'bicubic' }],
  ['Gemma3ImageProcessor', vit],
  ['LlavaImageProcessor', { ...clip, padsToSquare: true }],
  ['VideoLlavaImageProcessor', clip],
  ['LlavaNextImageProcessor', { ...clip, tiles: true }],
  ['LlavaOnevisionImageProcessor', tiled(384)],
  ['GotOcr2ImageProcessor', tiled(384)],
  ['Cohere2VisionImageProcessor', tiled(512)],
  ['Idefics3ImageProcessor', idefics3],
  ['SmolVLMImageProcessor', idefics3],
]);

/** The class of a model whose files name none, by config.json's model_type. */
const classOfModel: ReadonlyMap<unknown, string> = new Map([
  ['llava', 'LlavaImageProcessor'],
  ['llava_next', 'LlavaNextImageProcessor'],
  ['llava_next_video', 'LlavaNextImageProcessor'],
  ['llava_onevision', 'LlavaOnevisionImageProcessor'],
  ['vipllava', 'CLIPImageProcessor'],
  ['video_llava', 'VideoLlavaImageProcessor'],
  ['paligemma', 'SiglipImageProcessor'],
  ['gemma3', 'Gemma3ImageProcessor'],
  ['idefics3', 'Idefics3ImageProcessor'],
  ['smolvlm', 'SmolVLMImageProcessor'],
  ['aya_vision', 'GotOcr2ImageProcessor'],
  ['cohere2_vision', 'Cohere2VisionImageProcessor'],
]);

const classOfFamily: Record<Architecture, string> = {
  siglip: 'SiglipImageProcessor',
  clip: 'CLIPImageProcessor',
};

/** The class of a processor whose files name none: the model's, or else its tower's. */
export function defaultProcessorName(modelType: unknown, architecture: Architecture): string {
  return classOfModel.get(modelType) ?? classOfFamily[architecture];
}

/** What OpenAI's CLIP and Google's SigLIP do to pixels. */
export function processorDefaults(
  architecture: Architecture,
): Pick<ProcessorClass, 'resample' | 'mean' | 'std'> {
  return architecture === 'clip' ? clip : siglip;
}

/** The class of that name, of any version of transformers and backend; or why it cannot be used. */
export function processorClass(name: string): ProcessorClass | { readonly refusal: string } {
  const base = name.replace(/(Fast|Pil)$/, '').replace(/FeatureExtractor$/, 'ImageProcessor');
  const found = classes.get(base);
  if (found !== undefined) return found;
  const refusal =
    base === 'Siglip2ImageProcessor'
      ? 'makes views of no fixed size, for NaFlex checkpoints'
      : `is not supported; expected one of ${[...classes.keys()].join(', ')}`;
  return { refusal };
}
