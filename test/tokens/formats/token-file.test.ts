import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/errors/service-error.ts';
import type { AnswerMetadata } from '../../../src/tokens/answer-metadata.ts';
import { tokenFile } from '../../../src/tokens/formats/format.ts';
import type { ImageOutcome } from '../../../src/tokens/formats/image-outcome.ts';
import { jsonLine } from '../../../src/tokens/formats/json.ts';
import { metadataHeader, metadataHeaderBytes, metadataJson } from '../../../src/tokens/formats/metadata.ts';
import { safetensorsImagesFile } from '../../../src/tokens/formats/safetensors.ts';
import type { TokenFile } from '../../../src/tokens/formats/token-file.ts';
import { vllmImagesFile } from '../../../src/tokens/formats/vllm.ts';
import { dtypeBytes, type TokenDtype, type TokenTensor } from '../../../src/tokens/tensor.ts';
import { readNpy, readSafetensors, readSafetensorsImages } from '../read-token-file.ts';
import { readTorch } from '../read-torch-file.ts';

const metadata: AnswerMetadata = {
  model: { name: 'hd', digest: `sha256:${'0f'.repeat(32)}`, trained: true },
  recipe: 'anyres',
  output: 'embeddings',
  features: 'penultimate',
  projector: { family: 'llava-next', digest: `sha256:${'1f'.repeat(32)}` },
  precision: 'fp16',
  dtype: 'float32',
  shape: [2, 5],
  grid: { width: 2, height: 1 },
  views: 10,
  anyres: {
    tileGrid: { columns: 3, rows: 3 },
    baseTokens: 1024,
    unpad: { x: 11, y: 12, width: 96, height: 95 },
    spatial: { width: 64, height: 63 },
    newlines: 63,
    resized: true,
  },
  images: [{ width: 640, height: 480 }],
};

const uuid = '7e'.repeat(32);

function joined(file: TokenFile): Buffer {
  const chunks = file.body.kind === 'buffers' ? file.body.buffers : file.body.slices;
  const bytes = Buffer.concat([...chunks]);
  assert.equal(bytes.byteLength, file.contentLength);
  return bytes;
}

/** Tensors of one to three dimensions, their bytes cut into parts at any place. */
const tensors = fc
  .record({
    dtype: fc.constantFrom<TokenDtype>('float16', 'float32', 'bfloat16'),
    shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  })
  .map(({ dtype, shape, cuts }): { tensor: TokenTensor; data: Buffer } => {
    const bytes = shape.reduce((product, size) => product * size, dtypeBytes[dtype]);
    const data = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 37 + 11) % 256));
    const at = [0, ...cuts.map((cut) => Math.floor(cut * bytes)).toSorted((a, b) => a - b), bytes];
    const parts = at.slice(1).map((end, i) => new Uint8Array(data.subarray(at[i], end)));
    return { tensor: { shape, dtype, parts }, data };
  });

/** Of three images, the second of which failed. */
function outcomeOf(index: number, tensor: TokenTensor): ImageOutcome {
  const error = new ServiceError('invalid_argument', '模 is no image.');
  if (index === 1) return { kind: 'failed', index, error };
  return { kind: 'encoded', index, answer: { tensor, metadata, uuids: [uuid] } };
}

test('a reader of any format gets the same shape, dtype and bytes', () => {
  fc.assert(
    fc.property(tensors, ({ tensor, data }) => {
      const { shape, dtype } = tensor;
      assert.deepEqual(joined(tokenFile('raw', { tensor, metadata, uuids: [uuid] })), data);
      const safetensors = readSafetensors(
        joined(tokenFile('safetensors', { tensor, metadata, uuids: [uuid] })),
      );
      assert.deepEqual([safetensors.shape, safetensors.data], [shape, data]);
      assert.equal(safetensors.dtype, { float16: 'F16', float32: 'F32', bfloat16: 'BF16' }[dtype]);
      assert.equal(safetensors.metadata['tokens_meta'], metadataJson(metadata));
      const images = [0, 1, 2].map((index) => outcomeOf(index, tensor));
      const several = readSafetensorsImages(joined(safetensorsImagesFile(images)));
      assert.deepEqual(Object.keys(several.tensors), ['tokens_0', 'tokens_2']);
      for (const one of Object.values(several.tensors)) {
        assert.deepEqual([one.shape, one.dtype, one.data], [shape, safetensors.dtype, data]);
      }
      const [, failed] = images.map((outcome) =>
        JSON.parse(Buffer.concat([...jsonLine(outcome)]).toString()),
      );
      assert.deepEqual(failed, { index: 1, error: { code: 'invalid_argument', detail: '模 is no image.' } });
      const json = JSON.parse(joined(tokenFile('json', { tensor, metadata, uuids: [uuid] })).toString());
      assert.deepEqual([json.shape, json.dtype, Buffer.from(json.data, 'base64')], [shape, dtype, data]);
      assert.equal(json.data, data.toString('base64'));
      const torch = readTorch(joined(tokenFile('torch', { tensor, metadata, uuids: [uuid] })));
      const storages = { float16: 'HalfStorage', float32: 'FloatStorage', bfloat16: 'BFloat16Storage' };
      assert.deepEqual(torch, { storage: storages[dtype], shape, data });
      if (dtype === 'bfloat16') return;
      const npy = readNpy(joined(tokenFile('npy', { tensor, metadata, uuids: [uuid] })));
      assert.deepEqual([npy.shape, npy.data], [shape, data]);
      assert.equal(npy.descr, { float16: '<f2', float32: '<f4' }[dtype]);
    }),
    { seed: 4 },
  );
});

test("sends the tensor's own parts, not copies", () => {
  const parts = [new Uint8Array(20), new Uint8Array(20)];
  const tensor = { shape: [2, 5], dtype: 'float32', parts } as const;
  for (const format of ['npy', 'raw', 'safetensors'] as const) {
    const { body } = tokenFile(format, { tensor, metadata, uuids: [uuid] });
    assert.ok(body.kind === 'buffers');
    assert.ok(body.buffers.at(-2) === parts[0] && body.buffers.at(-1) === parts[1]);
  }
});

test('lists the metadata and the failures of several images in order', () => {
  const tensor = { shape: [2, 5], dtype: 'float32', parts: [new Uint8Array(40)] } as const;
  const bytes = joined(safetensorsImagesFile([0, 1, 2].map((index) => outcomeOf(index, tensor))));
  const { metadata: texts } = readSafetensorsImages(bytes);
  const own = JSON.parse(metadataJson(metadata));
  assert.deepEqual(JSON.parse(texts['tokens_meta'] ?? ''), [own, null, own]);
  assert.deepEqual(JSON.parse(texts['errors'] ?? ''), [
    { index: 1, code: 'invalid_argument', detail: '模 is no image.' },
  ]);
});

test('encodes JSON in slices of at most 256 KB', () => {
  const tensor = { shape: [2 ** 20], dtype: 'float32', parts: [new Uint8Array(2 ** 22)] } as const;
  const { body } = tokenFile('json', { tensor, metadata, uuids: [uuid] });
  assert.ok(body.kind === 'slices');
  for (const slice of body.slices) assert.ok(slice.byteLength <= 2 ** 18);
});

test('refuses bfloat16 as .npy, and says which formats and dtypes work', () => {
  const tensor = { shape: [1], dtype: 'bfloat16', parts: [new Uint8Array(2)] } as const;
  assert.throws(() => tokenFile('npy', { tensor, metadata, uuids: [uuid] }), {
    code: 'not_acceptable',
    message:
      'npy cannot hold bfloat16: use another format (raw, safetensors, json, torch) or another dtype (float16, float32).',
  });
});

test('writes any metadata as ASCII that parses to the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const json = metadataJson({ ...metadata, model: { ...metadata.model, name } });
      assert.match(json, /^[\x20-\x7e]*$/);
      assert.equal(JSON.parse(json).model.name, name);
    }),
    { seed: 5 },
  );
});

test('keeps the header under 2 KB with any number of images, and counts those left out', () => {
  for (const name of ['x', 'x'.repeat(64)]) {
    for (const count of [1, 16, 64, 1000]) {
      const images = Array.from({ length: count }, () => ({ width: 16384, height: 16384 }));
      const header = metadataHeader({ ...metadata, model: { ...metadata.model, name }, images });
      assert.ok(header.length <= metadataHeaderBytes);
      assert.match(header, /^[\x20-\x7e]+$/);
      const fields = JSON.parse(header);
      assert.equal(fields.images.length + (fields.images_omitted ?? 0), count);
      assert.ok(fields.images.length >= Math.min(count, 30));
      assert.deepEqual(fields.anyres.spatial, { width: 64, height: 63 });
      assert.equal(fields.model.digest, metadata.model.digest);
      assert.equal(fields.model.name, name);
    }
  }
});

test('writes the file of torch byte for byte as the one that torch.load(weights_only=True) has read', () => {
  const values = Uint16Array.from({ length: 600 }, (_, index) => 0x3f80 + index);
  const tensor = { shape: [300, 2], dtype: 'bfloat16', parts: [new Uint8Array(values.buffer)] } as const;
  const written = joined(tokenFile('torch', { tensor, metadata, uuids: [uuid] }));
  assert.deepEqual(written, readFileSync('test/fixtures/bfloat16-tensor.pt'));
});

test('writes parts of vLLM messages in slices of at most 256 KB, with the bytes of npy or torch in base64', () => {
  for (const [dtype, payload] of [
    ['float16', 'npy'],
    ['bfloat16', 'torch'],
  ] as const) {
    const tensor = { shape: [2 ** 11, 2 ** 9], dtype, parts: [new Uint8Array(2 ** 21).fill(7)] } as const;
    const answer = { tensor, metadata, uuids: [uuid] };
    const { body } = tokenFile('vllm', answer);
    assert.ok(body.kind === 'slices');
    for (const slice of body.slices) assert.ok(slice.byteLength <= 2 ** 18);
    const part = JSON.parse(joined(tokenFile('vllm', answer)).toString());
    const image_embeds = joined(tokenFile(payload, answer)).toString('base64');
    assert.deepEqual(part, { type: 'image_embeds', uuid, image_embeds });
    const prompt = JSON.parse(joined(tokenFile('vllm-prompt-embeds', answer)).toString());
    assert.deepEqual(prompt, {
      type: 'prompt_embeds',
      data: joined(tokenFile('torch', answer)).toString('base64'),
    });
    const list = JSON.parse(joined(vllmImagesFile('vllm', [answer, answer])).toString());
    assert.deepEqual(list, [part, part]);
  }
});
