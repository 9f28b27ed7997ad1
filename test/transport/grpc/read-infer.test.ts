import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openInferenceMessage } from '../../../src/open-inference/definition.ts';
import { readInferRequest } from '../../../src/transport/grpc/open-inference/read-infer.ts';

const request = openInferenceMessage<object, never>('ModelInferRequest');

function withContents(contents: object): Buffer {
  return request.serialize({ inputs: [{ name: 'pixels', datatype: 'UINT8', shape: [1], contents }] });
}

/** A message with one field of bytes. */
function field(number: number, bytes: Buffer): Buffer {
  const length = [
    (bytes.byteLength & 127) | 128,
    ((bytes.byteLength >> 7) & 127) | 128,
    bytes.byteLength >> 14,
  ];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

test('uint_contents is read up to 256 KiB; beyond that the client is told to send raw_input_contents', () => {
  const most = 256 * 1024;
  const [input] = readInferRequest(withContents({ uintContents: Array<number>(most).fill(7) })).inputs;
  assert.deepEqual(input!.data, { kind: 'uint8', bytes: new Uint8Array(most).fill(7) });
  assert.throws(() => readInferRequest(withContents({ uintContents: Array<number>(most + 1).fill(7) })), {
    code: 'invalid_argument',
    message: /uint_contents is over 262144 bytes; send the pixels in raw_input_contents/,
  });
});

test('a message is refused for its fields, wherever in it they are', () => {
  // Field 15, which no message of the protocol has, with the value 0.
  const unknown = Buffer.from([15 * 8, 0]);
  const half = Buffer.alloc(40_000 * unknown.byteLength, unknown);
  const inContents = field(5, field(5, half));
  assert.equal(readInferRequest(inContents).inputs.length, 1);
  assert.throws(() => readInferRequest(Buffer.concat([half, inContents])), {
    code: 'invalid_argument',
    message: /over 65536 fields/,
  });
});
