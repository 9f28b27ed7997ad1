import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJSON, type MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import {
  bytesField,
  GatheredMessage,
  integerField,
  stringField,
} from '../../../src/transport/grpc/gathered-message.ts';

interface Sample {
  readonly count: number;
  readonly name: string;
  readonly data: Buffer;
}

const definition: unknown = fromJSON(
  {
    nested: {
      Sample: {
        fields: {
          count: { id: 1, type: 'uint64' },
          name: { id: 2, type: 'string' },
          data: { id: 2047, type: 'bytes' },
        },
      },
    },
  },
  { defaults: true, longs: Number },
).Sample;
const sampleType = definition as MessageTypeDefinition<Sample, Sample>;

test('writes what protobufjs reads, at any offset, in any number of pieces', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.nat(9),
      (count, name, parts, offset) => {
        const pieces = parts.map((part) => new Uint8Array(part));
        const message = new GatheredMessage([
          ...integerField(1, count),
          ...stringField(2, name),
          ...bytesField(2047, pieces),
        ]);
        const target = Buffer.alloc(offset + message.byteLength + 1, 0x55);
        assert.equal(message.copy(target, offset), message.byteLength);
        assert.equal(target[offset + message.byteLength], 0x55);
        const read = sampleType.deserialize(target.subarray(offset, offset + message.byteLength));
        assert.deepEqual(read, { count, name, data: Buffer.concat(parts) });
      },
    ),
  );
});

test('refers to the bytes it was given until it is copied', () => {
  const part = new Uint8Array([1, 2, 3]);
  const message = new GatheredMessage(bytesField(1, [part]));
  part[0] = 9;
  const target = Buffer.alloc(message.byteLength);
  message.copy(target);
  assert.deepEqual([...target], [10, 3, 9, 2, 3]);
});
