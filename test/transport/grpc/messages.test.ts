import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packageDefinition } from '../../../src/transport/grpc/definition.ts';
import {
  assemblyNumbers,
  channelOrderNumbers,
  dtypeNumbers,
  exifNumbers,
  featureNumbers,
  fusionNumbers,
  recipeNumbers,
  resampleNumbers,
  windowsNumbers,
} from '../../../src/transport/grpc/messages.ts';

/** An enum's names and numbers as encoder.proto has them. */
function numbersInProto(name: string): Record<string, number> {
  const definition: unknown = packageDefinition[`siglip_hd.v1.${name}`];
  const { value } = (definition as { type: { value: { name: string; number: number }[] } }).type;
  return Object.fromEntries(value.map((entry) => [entry.name, entry.number]));
}

const enums = [
  ['Dtype', 'DTYPE', dtypeNumbers],
  ['Exif', 'EXIF', exifNumbers],
  ['FeatureLayer', 'FEATURE_LAYER', featureNumbers],
  ['Recipe', 'RECIPE', recipeNumbers],
  ['Fusion', 'FUSION', fusionNumbers],
  ['Windows', 'WINDOWS', windowsNumbers],
  ['ChannelOrder', 'CHANNEL_ORDER', channelOrderNumbers],
  ['Assembly', 'ASSEMBLY', assemblyNumbers],
  ['Resample', 'RESAMPLE', resampleNumbers],
] as const;

for (const [name, prefix, numbers] of enums)
  test(`has every ${name} of encoder.proto under its number, and no other`, () => {
    const expected = Object.entries({ unspecified: 0, ...numbers }).map(
      ([value, number]) => [`${prefix}_${value.toUpperCase()}`, number] as const,
    );
    assert.deepEqual(numbersInProto(name), Object.fromEntries(expected));
  });
