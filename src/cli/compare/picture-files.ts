import { decode, type DecodeOptions } from '../../image/decode.ts';
import { sharp } from '../../image/sharp.ts';
import type { Size } from '../../recipes/plan.ts';

/** A small picture. */
export interface Picture {
  /** Three bytes for each pixel. */
  readonly rgb: Uint8ClampedArray;
  readonly size: Size;
}

/** In pixels: enough for a sheet on a screen of twice the usual density. */
const thumbnailSide = 480;

/** The picture as a PNG file, a pixel for each colour. */
export async function pictureFile({ rgb, size: { width, height } }: Picture): Promise<Uint8Array> {
  return await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** An image file made small, as JPEG. Rejects as `decode` does. */
export async function thumbnailFile(bytes: Uint8Array, options: DecodeOptions): Promise<Uint8Array> {
  const { width, height, data } = await decode(bytes, options);
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 85 })
    .toBuffer();
}
