import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gridSide, type TowerGeometry } from '../../src/model/tower-geometry.ts';
import { convertWeights, storedBytes, type StoredDtype } from '../../src/model/import/weights.ts';
import { randomValues } from './random-values.ts';

export interface CheckpointOptions {
  readonly geometry: TowerGeometry;
  readonly dtype: StoredDtype;
  /**
   * `two-tower`: names with `vision_model.` and a nested config, as google's; `vision-only`: as transformers 5 saves.
   */
  readonly names: 'two-tower' | 'vision-only';
  readonly seed: number;
}

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** All tensors of a vision tower, its pooling head included, by Hugging Face's names without `vision_model.`. */
export function towerTensors(geometry: TowerGeometry): NamedShape[] {
  const { architecture, channels: c, mlpChannels: m, patchSize: p } = geometry;
  const linear = (name: string, outputs: number, inputs: number): NamedShape[] => [
    { name: `${name}.weight`, shape: [outputs, inputs] },
    { name: `${name}.bias`, shape: [outputs] },
  ];
  const norm = (name: string): NamedShape[] =>
    ['weight', 'bias'].map((part) => ({ name: `${name}.${part}`, shape: [c] }));
  const mlp = (name: string): NamedShape[] => [
    ...linear(`${name}.fc1`, m, c),
    ...linear(`${name}.fc2`, c, m),
  ];
  const layer = (name: string): NamedShape[][] => [
    norm(`${name}.layer_norm1`),
    norm(`${name}.layer_norm2`),
    ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((part) => linear(`${name}.self_attn.${part}`, c, c)),
    mlp(`${name}.mlp`),
  ];
  const patches = { name: 'embeddings.patch_embedding.weight', shape: [c, 3, p, p] };
  const positions = (tokens: number): NamedShape => ({
    name: 'embeddings.position_embedding.weight',
    shape: [tokens, c],
  });
  const patchCount = gridSide(geometry) ** 2;
  const layers = Array.from({ length: geometry.layers }, (_, index) => layer(`encoder.layers.${index}`)).flat(
    2,
  );
  if (architecture === 'clip') {
    return [
      { name: 'embeddings.class_embedding', shape: [c] },
      patches,
      positions(patchCount + 1),
      ...norm('pre_layrnorm'),
      ...layers,
      ...norm('post_layernorm'),
    ];
  }
  return [
    patches,
    { name: 'embeddings.patch_embedding.bias', shape: [c] },
    positions(patchCount),
    ...layers,
    ...norm('post_layernorm'),
    { name: 'head.probe', shape: [1, 1, c] },
    { name: 'head.attention.in_proj_weight', shape: [3 * c, c] },
    { name: 'head.attention.in_proj_bias', shape: [3 * c] },
    ...linear('head.attention.out_proj', c, c),
    ...norm('head.layernorm'),
    ...mlp('head.mlp'),
  ];
}

/** Writes a Hugging Face checkpoint folder with seeded random weights, a few MB in memory at a time. */
export async function writeRandomCheckpoint(folder: string, options: CheckpointOptions): Promise<void> {
  const { geometry, dtype, names, seed } = options;
  const tensors = towerTensors(geometry);
  const prefix = names === 'two-tower' ? 'vision_model.' : '';
  let offset = 0;
  const entries = tensors.map(({ name, shape }) => {
    const start = offset;
    offset += shape.reduce((product, size) => product * size, storedBytes[dtype]);
    return [prefix + name, { dtype, shape, data_offsets: [start, offset] }] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.byteLength));

  await mkdir(folder, { recursive: true });
  const file = await open(join(folder, 'model.safetensors'), 'w');
  try {
    await file.writeFile(Buffer.concat([length, header]));
    for (const { name, shape } of tensors) {
      for (const values of randomValues(seed, name, shape)) await file.writeFile(stored(values, dtype));
    }
  } finally {
    await file.close();
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config(geometry, names), undefined, 2));
  await writeFile(
    join(folder, 'preprocessor_config.json'),
    JSON.stringify(preprocessor(geometry), undefined, 2),
  );
}

function stored(values: Float32Array<ArrayBuffer>, dtype: StoredDtype): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer);
  if (dtype === 'BF16') {
    // The upper half of a float32, rounded to the nearest.
    const bits = new Uint32Array(values.buffer);
    return new Uint8Array(Uint16Array.from(bits, (value) => (value + 0x8000) >>> 16).buffer);
  }
  const converted = convertWeights(new Uint8Array(values.buffer), 'F32', 'float16');
  return 'bytes' in converted ? converted.bytes : new Uint8Array();
}

function config(geometry: TowerGeometry, names: CheckpointOptions['names']): object {
  const { architecture } = geometry;
  const vision = {
    model_type: `${architecture}_vision_model`,
    hidden_size: geometry.channels,
    image_size: geometry.imageSize,
    intermediate_size: geometry.mlpChannels,
    num_attention_heads: geometry.heads,
    num_hidden_layers: geometry.layers,
    patch_size: geometry.patchSize,
  };
  return names === 'two-tower' ? { model_type: architecture, vision_config: vision } : vision;
}

function preprocessor({ architecture, imageSize }: TowerGeometry): object {
  const square = { height: imageSize, width: imageSize };
  if (architecture === 'clip') {
    return { crop_size: square, do_center_crop: true, resample: 3, size: { shortest_edge: imageSize } };
  }
  return {
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    resample: 2,
    rescale_factor: 1 / 255,
    size: square,
  };
}
