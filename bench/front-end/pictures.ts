import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { rocketFile } from '../processes/paths.ts';
import { seededRandom } from '../report/statistics.ts';

/** A picture of the kind that users send. */
export interface Picture {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A photograph of the web, one of a camera (4000 x 3000, some 4 MB), and a scanned page (1280 x 1722 PNG). */
export async function pictures(): Promise<{ web: Picture; camera: Picture; page: Picture }> {
  const web = await readFile(rocketFile);
  const [width, height] = [4000, 3000];
  // An enlarged photograph is smooth; the noise of a sensor makes its file as long as a camera's.
  const noise = { width, height, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 9 } } as const;
  const grain = await sharp({ create: { ...noise, background: 'grey' } })
    .png()
    .toBuffer();
  const camera = await sharp(web)
    .resize(width, height, { fit: 'fill' })
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 90 })
    .toBuffer();
  const page = await sharp(pageOfText(1280, 1722), { raw: { width: 1280, height: 1722, channels: 3 } })
    .png()
    .toBuffer();
  return {
    web: { name: 'rocket.jpg, 640 x 427', bytes: web },
    camera: { name: `photograph, 4000 x 3000, ${(camera.byteLength / 1e6).toFixed(1)} MB`, bytes: camera },
    page: { name: `page, 1280 x 1722 PNG, ${(page.byteLength / 1e6).toFixed(1)} MB`, bytes: page },
  };
}

/** Dark strokes in lines on paper that a scanner made uneven. */
function pageOfText(width: number, height: number): Uint8Array {
  const random = seededRandom(1);
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => 250 + Math.floor(random() * 4));
  for (let top = 100; top < height - 100; top += 24) {
    for (let left = 100; left < width - 100; left += 3 + Math.floor(random() * 9)) {
      const ink = Math.floor(random() * 60);
      const right = left + 1 + Math.floor(random() * 3);
      const bottom = top + 4 + Math.floor(random() * 12);
      for (let y = top; y < bottom; y++) pixels.fill(ink, (y * width + left) * 3, (y * width + right) * 3);
    }
  }
  return pixels;
}
