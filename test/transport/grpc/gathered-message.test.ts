import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJSON, type MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { bytesField, GatheredMessage } from '../../../src/transport/grpc/gathered-message.ts';

interface Sample {
  readonly first: Buffer;
  readonly data: Buffer;
}

const definition: unknown = fromJSON(
  {
    nested: {
      Sample: { fields: { first: { id: 2, type: 'bytes' }, data: { id: 2047, type: 'bytes' } } },
    },
  },
  { defaults: true },
).Sample;
const sampleType = definition as MessageTypeDefinition<Sample, Sample>;

test('writes what protobufjs reads, at any offset, in any number of pieces', () => {
  const someBytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(someBytes, fc.array(someBytes), fc.nat(9), (first, parts, offset) => {
      const message = new GatheredMessage([
        ...bytesField(2, [new Uint8Array(first)]),
        ...bytesField(
          2047,
          parts.map((part) => new Uint8Array(part)),
        ),
      ]);
      const target = Buffer.alloc(offset + message.byteLength + 1, 0x55);
      assert.equal(message.copy(target, offset), message.byteLength);
      assert.equal(target[offset + message.byteLength], 0x55);
      const read = sampleType.deserialize(target.subarray(offset, offset + message.byteLength));
      assert.deepEqual(read, { first: Buffer.from(first), data: Buffer.concat(parts) });
    }),
  );
});

test('refers to its pieces until it is copied', () => {
  const part = new Uint8Array([1, 2, 3]);
  const message = new GatheredMessage(bytesField(1, [part]));
  part[0] = 9;
  const target = Buffer.alloc(message.byteLength);
  message.copy(target);
  assert.deepEqual([...target], [10, 3, 9, 2, 3]);
});
