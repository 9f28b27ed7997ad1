import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { fixture } from './fixtures.ts';

/** Decoded pixels and size of a fixture image, square or not. */
interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * A fixture image as a view: decoded, and squashed to `side` as Pillow's BILINEAR does it. Written apart from the
 * service's own resampler, so that the graph is tested without it.
 */
export async function viewOf(image: string, side: number, exif: 'apply' | 'ignore'): Promise<Uint8Array> {
  const { data, info } = await sharp(await readFile(fixture(`images/${image}`)), {
    ignoreIcc: true,
    autoOrient: exif === 'apply',
  })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const wide = resizeWidth({ data, width: info.width, height: info.height }, side);
  return transpose(resizeWidth(transpose(wide), side)).data;
}

function resizeWidth({ data, width, height }: Pixels, side: number): Pixels {
  if (width === side) return { data, width, height };
  const out = new Uint8Array(side * height * 3);
  const scale = width / side;
  const stretch = Math.max(scale, 1);
  for (let x = 0; x < side; x += 1) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - stretch + 0.5), 0);
    const end = Math.min(Math.trunc(centre + stretch + 0.5), width);
    const taps = Array.from({ length: end - first }, (_, tap) =>
      Math.max(1 - Math.abs((tap + first - centre + 0.5) * (1 / stretch)), 0),
    );
    const total = taps.reduce((sum, tap) => sum + tap, 0);
    const fixed = taps.map((tap) => Math.trunc((tap / total) * 2 ** 22 + 0.5));
    for (let y = 0; y < height; y += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 2 ** 21;
        for (const [tap, weight] of fixed.entries())
          sum += weight * data[(y * width + first + tap) * 3 + channel]!;
        out[(y * side + x) * 3 + channel] = Math.min(sum >> 22, 255);
      }
    }
  }
  return { data: out, width: side, height };
}

function transpose({ data, width, height }: Pixels): Pixels {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        out[(x * height + y) * 3 + channel] = data[(y * width + x) * 3 + channel]!;
      }
    }
  }
  return { data: out, width: height, height: width };
}
