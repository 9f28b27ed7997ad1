import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { importModel } from '../../../src/model/import/import-model.ts';
import { readTorchFile } from '../../../src/model/import/torch-file.ts';
import { fixture, temporaryFolder } from './fixtures.ts';
import { fuzzRuns, fuzzSeed, mutated, mutations, requireRefusal } from '../../support/fuzzing.ts';
import { pickle, pickledTensor, zip, type Pickled, type ZipEntry } from './torch-writer.ts';

/** Numbers at which sums and products go wrong. */
const count = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 9 }) },
  fc.constantFrom(-1, 1.5, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER, -(2 ** 53)),
);
const key = fc.constantFrom('0', '1', '2', '../0', '');
const storage = fc.constantFrom(
  'torch FloatStorage',
  'torch HalfStorage',
  'torch BFloat16Storage',
  'torch LongStorage',
  'torch BoolStorage',
  'torch ComplexFloatStorage',
  'collections OrderedDict',
);
const anyTensor = fc
  .record({
    key,
    shape: fc.array(count, { maxLength: 5 }),
    strides: fc.array(count, { maxLength: 5 }),
    offset: count,
    elements: count,
    storage,
  })
  .map(pickledTensor);

const tensor = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .constantFrom([3, 1], [1, 2], [0, 1])
      .map((strides) => pickledTensor({ key: '0', shape: [2, 3], strides, elements: 6 })),
  },
  anyTensor,
);

const name = fc.oneof(
  fc.constantFrom('a', 'a.b', 'embeddings.patch_embedding.weight', '', '__proto__', 'x\n\u0000y'),
  fc.string({ maxLength: 8 }),
);

/** Opcodes of torch.save and others, whole or with noise for an operand. */
const opcodes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...Array.from('(tR)]}aeusb.NQ'),
        '\u0085',
        '\u0086',
        '\u0087',
        '\u0088',
        '\u0089',
        'q\0',
        'h\0',
        'K\u0001',
      ),
      fc.constantFrom(
        'X\u0001\0\0\0a',
        'ccollections\nOrderedDict\n',
        'ctorch._utils\n_rebuild_tensor_v2\n',
        'cos\nsystem\n',
      ),
      fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
    ),
    { maxLength: 40 },
  )
  .map((parts): Pickled => ({ raw: Buffer.from(parts.join(''), 'latin1') }));

const { value } = fc.letrec<{ value: Pickled; leaf: Pickled }>((tie) => ({
  leaf: fc.oneof(
    { weight: 6, arbitrary: tensor },
    fc.constantFrom<Pickled>(null, true, 7, 2 ** 40, 0.5, 'text', { global: 'torch float32' }),
    opcodes,
  ),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .tuple(fc.constantFrom('_rebuild_parameter', '_rebuild_tensor', '_rebuild_qtensor'), tie('value'))
      .map(
        ([callee, argument]): Pickled => ({ call: { global: `torch._utils ${callee}` }, args: [argument] }),
      ),
  ),
}));

const root = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(fc.tuple(name, value), { maxLength: 5 }).map((pairs): Pickled => new Map(pairs)),
  },
  value,
  opcodes,
);

const entries = fc
  .record({
    value: root,
    sizes: fc.oneof(
      { weight: 3, arbitrary: fc.constant<number[]>([24, 48]) },
      fc.array(fc.nat({ max: 64 }), { maxLength: 3 }),
    ),
    folder: fc.constantFrom('archive', 'pytorch_model', 'archive', 'model', '', 'a/b'),
    order: fc.oneof({ weight: 8, arbitrary: fc.constant('little') }, fc.constantFrom('big', '')),
    more: fc.array(
      fc.record({ name, content: fc.uint8Array({ maxLength: 20 }), method: fc.constantFrom(0, 0, 0, 8, 99) }),
      { maxLength: 1 },
    ),
  })
  .map(({ value: state, sizes, folder, order, more }) => {
    const files: ZipEntry[] = [
      { name: `${folder}/data.pkl`, content: pickle(state) },
      { name: `${folder}/byteorder`, content: Buffer.from(order) },
    ];
    for (const [index, size] of sizes.entries()) {
      files.push({ name: `${folder}/data/${index}`, content: new Uint8Array(size) });
    }
    return files.concat(more);
  });

test('the reader takes or refuses any pickle in any archive', async (t) => {
  const path = join(await temporaryFolder(t), 'pytorch_model.bin');
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(entries, fc.option(mutations, { freq: 2 }), async (files, changes) => {
      const whole = zip(files);
      await writeFile(path, changes === null ? whole : mutated(whole, changes));
      try {
        const { size } = await stat(path);
        for (const { offsetBytes, sizeBytes, shape } of (await readTorchFile(path)).values()) {
          assert.ok(
            offsetBytes >= 0 && sizeBytes >= 0 && (sizeBytes === 0 || offsetBytes + sizeBytes <= size),
          );
          assert.ok(shape.reduce((product, each) => product * each, 1) <= size);
        }
        taken += 1;
      } catch (error) {
        requireRefusal(error);
      }
    }),
    { numRuns: fuzzRuns(400), seed: fuzzSeed },
  );
  assert.ok(taken > fuzzRuns(400) / 50, `${taken}`);
});

test('an import of a damaged pytorch_model.bin makes a model folder or nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const source = join(folder, 'checkpoint');
  await cp(fixture('checkpoints/siglip'), source, { recursive: true });
  await rm(join(source, 'model.safetensors'));
  await writeFile(join(source, 'preprocessor_config.json'), '{"size":32}');
  const whole = await readFile(fixture('checkpoints/bin-views/pytorch_model.bin'));
  const directory = whole.indexOf('PK\x01\x02') / whole.byteLength;
  const pickled = whole.indexOf('PK\x03\x04', 4) / whole.byteLength;
  await fc.assert(
    fc.asyncProperty(
      mutations,
      fc.constantFrom('anywhere', 'pickle', 'directory'),
      async (changes, where) => {
        const [from, to] = { anywhere: [0, 1], pickle: [0, pickled], directory: [directory, 1] }[where] as [
          number,
          number,
        ];
        const placed = changes.map((change) => ({ ...change, at: from + change.at * (to - from) }));
        await writeFile(join(source, 'pytorch_model.bin'), mutated(whole, placed));
        const out = join(folder, 'out');
        try {
          await importModel({ source, out, features: ['last_hidden_state'], precision: 'fp32', force: true });
        } catch (error) {
          requireRefusal(error);
        }
        const left = (await readdir(folder)).filter((each) => each !== 'out');
        assert.deepEqual(left, ['checkpoint']);
      },
    ),
    { numRuns: fuzzRuns(80), seed: fuzzSeed },
  );
});
