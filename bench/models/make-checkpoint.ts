// Writes a Hugging Face checkpoint folder with random weights, by default SigLIP 2 So400m/16-512 at full size:
//   node build/bench/models/make-checkpoint.js --out /tmp/so400m
//   node build/bench/models/make-checkpoint.js --encoder giant-16-384 --layers 2 --out /tmp/giant
// --encoder takes a name of bench/models/encoders.ts; every other number overrides one of its.
import { parseArgs } from 'node:util';
import { encoders, type EncoderName } from './encoders.ts';
import { writeRandomCheckpoint } from './random-checkpoint.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    encoder: { type: 'string', default: 'so400m-16-512' },
    dtype: { type: 'string', default: 'F32' },
    names: { type: 'string', default: 'two-tower' },
    seed: { type: 'string', default: '1' },
    'image-size': { type: 'string' },
    'patch-size': { type: 'string' },
    channels: { type: 'string' },
    layers: { type: 'string' },
    heads: { type: 'string' },
    'mlp-channels': { type: 'string' },
  },
});

if (values.out === undefined) throw new Error('--out FOLDER is needed');
const encoder = encoders[oneOf(values.encoder, Object.keys(encoders) as EncoderName[])];
await writeRandomCheckpoint(values.out, {
  dtype: oneOf(values.dtype, ['F32', 'F16', 'BF16']),
  names: oneOf(values.names, ['two-tower', 'vision-only']),
  seed: Number(values.seed),
  geometry: {
    ...encoder,
    imageSize: Number(values['image-size'] ?? encoder.imageSize),
    patchSize: Number(values['patch-size'] ?? encoder.patchSize),
    channels: Number(values.channels ?? encoder.channels),
    layers: Number(values.layers ?? encoder.layers),
    heads: Number(values.heads ?? encoder.heads),
    mlpChannels: Number(values['mlp-channels'] ?? encoder.mlpChannels),
  },
});

function oneOf<const Allowed extends string>(value: string, allowed: readonly Allowed[]): Allowed {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${value} is not one of ${allowed.join(', ')}`);
  return found;
}
