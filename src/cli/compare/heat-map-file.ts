import { decode, type DecodeOptions } from '../../image/decode.ts';
import { drawHeatMap, type HeatMap } from './heat-map.ts';
import { encodePng } from '../../image/png.ts';

/** An image file's heat map as a PNG file that says its own scale. Rejects as `decode` does. */
export async function heatMapFile(
  bytes: Uint8Array,
  options: DecodeOptions,
  map: HeatMap,
): Promise<Uint8Array> {
  const raster = await decode(bytes, options);
  return await encodePng(drawHeatMap(raster, map), {
    Description: `1 - cosine of each token, from 0 to ${map.scaleMax}`,
  });
}
