// Writes a Hugging Face checkpoint folder with random weights, by default SigLIP 2 So400m/16-512 at full size:
//   node build/bench/make-checkpoint.js --out /tmp/so400m
import { parseArgs } from 'node:util';
import { so400m, writeRandomCheckpoint, type CheckpointOptions } from './random-checkpoint.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    dtype: { type: 'string', default: 'F32' },
    names: { type: 'string', default: 'two-tower' },
    seed: { type: 'string', default: '1' },
    'image-size': { type: 'string', default: String(so400m.imageSize) },
    'patch-size': { type: 'string', default: String(so400m.patchSize) },
    channels: { type: 'string', default: String(so400m.channels) },
    layers: { type: 'string', default: String(so400m.layers) },
    heads: { type: 'string', default: String(so400m.heads) },
    'mlp-channels': { type: 'string', default: String(so400m.mlpChannels) },
  },
});

if (values.out === undefined) throw new Error('--out FOLDER is needed');
await writeRandomCheckpoint(values.out, {
  dtype: oneOf(values.dtype, ['F32', 'F16', 'BF16']),
  names: oneOf(values.names, ['two-tower', 'vision-only']),
  seed: Number(values.seed),
  geometry: {
    ...so400m,
    imageSize: Number(values['image-size']),
    patchSize: Number(values['patch-size']),
    channels: Number(values.channels),
    layers: Number(values.layers),
    heads: Number(values.heads),
    mlpChannels: Number(values['mlp-channels']),
  },
} satisfies CheckpointOptions);

function oneOf<const Allowed extends string>(value: string, allowed: readonly Allowed[]): Allowed {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${value} is not one of ${allowed.join(', ')}`);
  return found;
}
