import { base64Length, base64Slices } from './base64.ts';
import type { ImageTokens } from './image-outcome.ts';
import { npyCanHold, npyFile } from './npy.ts';
import type { TokenFile } from './token-file.ts';
import { torchFile } from './torch.ts';

/** The formats that are parts of a vLLM chat message. */
export const vllmFormats = ['vllm', 'vllm-prompt-embeds'] as const;
export type VllmFormat = (typeof vllmFormats)[number];

/** A part of a message: `head`, the payload in base64, and the end of the object. */
interface Part {
  readonly head: string;
  readonly payload: TokenFile;
}

const partOf: Record<VllmFormat, (image: ImageTokens) => Part> = {
  // With --enable-mm-embeds. vLLM takes .npy, which has no bfloat16, or torch.save's format.
  vllm: ({ tensor, uuids }) => ({
    head: `{"type":"image_embeds","uuid":"${theOnly(uuids)}","image_embeds":"`,
    payload: npyCanHold(tensor.dtype) ? npyFile(tensor) : torchFile(tensor),
  }),
  // With --enable-prompt-embeds. vLLM takes torch.save's format alone.
  'vllm-prompt-embeds': ({ tensor }) => ({
    head: '{"type":"prompt_embeds","data":"',
    payload: torchFile(tensor),
  }),
};

const contentTypes = {
  vllm: 'application/x-vllm-image-embeds+json',
  'vllm-prompt-embeds': 'application/x-vllm-prompt-embeds+json',
} as const satisfies Record<VllmFormat, string>;

const partEnd = '"}';

/** One part, as a JSON object. The image's tokens must be [rows, channels]. */
export function vllmFile(format: VllmFormat, image: ImageTokens): TokenFile {
  return jsonOf(format, '', [partOf[format](image)], '\n');
}

/** A part for each image, in order, as a JSON array: what a message's `content` takes beside its text. */
export function vllmImagesFile(format: VllmFormat, images: readonly ImageTokens[]): TokenFile {
  return jsonOf(format, '[', images.map(partOf[format]), ']\n');
}

function jsonOf(format: VllmFormat, open: string, parts: readonly Part[], close: string): TokenFile {
  const separators = open.length + Math.max(0, parts.length - 1) + close.length;
  return {
    contentType: contentTypes[format],
    contentLength: parts.reduce(
      (sum, { head, payload }) => sum + head.length + base64Length(payload.contentLength) + partEnd.length,
      separators,
    ),
    body: { kind: 'slices', slices: jsonSlices(open, parts, close) },
  };
}

function* jsonSlices(open: string, parts: readonly Part[], close: string): Generator<Uint8Array, void, void> {
  for (const [index, { head, payload }] of parts.entries()) {
    const { body } = payload;
    yield Buffer.from((index === 0 ? open : ',') + head);
    yield* base64Slices(body.kind === 'buffers' ? body.buffers : body.slices);
    yield Buffer.from(partEnd);
  }
  yield Buffer.from(close);
}

function theOnly(uuids: readonly string[]): string {
  const [uuid] = uuids;
  if (uuid === undefined || uuids.length > 1) throw new Error(`A part is of one image, not ${uuids.length}.`);
  return uuid;
}
