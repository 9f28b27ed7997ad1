import type { Raster } from '../../src/image/raster.ts';
import type { Resample, Size } from '../../src/recipes/plan.ts';

/** Pillow's resize, written plainly from its description: the kernel must give the same bytes. */
export function scalarResample(raster: Raster, size: Size, filter: Resample): Raster {
  if (raster.height > raster.width * 100 && size.height < raster.height) {
    return across(down(raster, size.height, filter), size.width, filter);
  }
  return down(across(raster, size.width, filter), size.height, filter);
}

function across(raster: Raster, width: number, filter: Resample): Raster {
  if (width === raster.width) return raster;
  return transpose(down(transpose(raster), width, filter));
}

function down(raster: Raster, height: number, filter: Resample): Raster {
  if (height === raster.height) return raster;
  const { width } = raster;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const { first, weights } = weightsOf(y, raster.height, height, filter);
    for (let x = 0; x < width * 3; x++) {
      let sum = 2 ** 21;
      for (const [tap, weight] of weights.entries()) {
        sum += weight * raster.data[(first + tap) * width * 3 + x]!;
      }
      data[y * width * 3 + x] = Math.min(Math.max(Math.floor(sum / 2 ** 22), 0), 255);
    }
  }
  return { width, height, data };
}

function weightsOf(i: number, input: number, output: number, filter: Resample) {
  const scale = input / output;
  const stretch = scale < 1 ? 1 : scale;
  const reach = (filter === 'bilinear' ? 1 : 2) * stretch;
  const centre = (i + 0.5) * scale;
  const first = Math.max(0, Math.trunc(centre - reach + 0.5));
  const end = Math.min(input, Math.trunc(centre + reach + 0.5));
  const exact: number[] = [];
  for (let x = 0; x < end - first; x++) {
    exact.push((filter === 'bilinear' ? triangle : cubic)((x + first - centre + 0.5) * (1 / stretch)));
  }
  const total = exact.reduce((sum, weight) => sum + weight, 0);
  const weights = exact.map((weight) => {
    const scaled = (weight / total) * 2 ** 22;
    return Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
  });
  return { first, weights };
}

function triangle(x: number): number {
  return Math.abs(x) < 1 ? 1 - Math.abs(x) : 0;
}

function cubic(signed: number): number {
  const a = -0.5;
  const x = Math.abs(signed);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function transpose({ width, height, data }: Raster): Raster {
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) turned[(x * height + y) * 3 + c] = data[(y * width + x) * 3 + c]!;
    }
  }
  return { width: height, height: width, data: turned };
}
