import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readTorchFile } from '../../../src/model/import/torch-file.ts';
import { fixture, temporaryFolder } from './fixtures.ts';
import { pickle, pickledTensor, torchFile, zip, type Pickled } from './torch-writer.ts';

async function read(t: TestContext, content: Uint8Array): ReturnType<typeof readTorchFile> {
  const path = join(await temporaryFolder(t), 'pytorch_model.bin');
  await writeFile(path, content);
  return readTorchFile(path);
}

const tensor = pickledTensor({ key: '0', shape: [2, 3], strides: [3, 1], elements: 6 });
const storages = { 0: new Uint8Array(24) };
const state = (value: Pickled) => new Map([['weight', value]]);
const view = (fields: Partial<Parameters<typeof pickledTensor>[0]>) =>
  state(pickledTensor({ key: '0', shape: [2, 3], strides: [3, 1], elements: 6, ...fields }));
const call = (global: string, ...args: Pickled[]): Pickled => ({ call: { global }, args });
const raw = (...bytes: (number | string)[]): Pickled => ({
  raw: Buffer.concat(bytes.map((one) => (typeof one === 'number' ? Buffer.of(one) : Buffer.from(one)))),
});

describe('a file of torch.save', () => {
  it('lists its tensors, those of nested dictionaries with their keys before them', async () => {
    const tensors = await readTorchFile(fixture('checkpoints/bin-views/pytorch_model.bin'));
    assert.ok([...tensors.keys()].every((name) => name.startsWith('state_dict.module.')));
    assert.deepEqual(tensors.get('state_dict.module.encoder.layers.0.mlp.fc1.weight')?.strides, [1, 16]);
    assert.equal(tensors.get('state_dict.module.encoder.layers.0.mlp.fc1.bias')?.strides, undefined);
  });

  it('names the dtypes of its storages as safetensors does', async () => {
    const tensors = await readTorchFile(fixture('checkpoints/bin/pytorch_model.bin'));
    assert.equal(tensors.get('vision_model.embeddings.position_ids')?.dtype, 'I64');
    assert.deepEqual(tensors.get('logit_scale'), {
      ...tensors.get('logit_scale'),
      dtype: 'F32',
      shape: [],
      sizeBytes: 4,
    });
  });

  it('may hold empty tensors, and values that are none', async (t) => {
    const values = new Map<string, Pickled>([
      ['empty', pickledTensor({ key: '0', shape: [0, 3], strides: [3, 1], elements: 0 })],
      ['step', 7],
      ['rates', [0.5, null, true]],
      ['dtype', { global: 'torch float32' }],
      ['parameter', call('torch._utils _rebuild_parameter', tensor, true, null)],
    ]);
    assert.deepEqual([...(await read(t, torchFile(values, storages))).keys()], ['empty', 'parameter']);
  });
});

describe('a file of torch.save is refused', () => {
  const deep = (depth: number): Pickled => (depth === 0 ? state(tensor) : new Map([['a', deep(depth - 1)]]));
  const pickles: readonly [string, Pickled, RegExp][] = [
    [
      'when it would run a command',
      call('posix system', 'id'),
      /refers to posix\.system, which plain tensors do not need; it is not run\./,
    ],
    ['when it refers to builtins', state(call('builtins eval', '1')), /refers to builtins\.eval,/],
    [
      'with an object of numpy',
      state(call('numpy.core.multiarray _reconstruct')),
      /refers to numpy\.core\.multiarray\._reconstruct/,
    ],
    ['with training arguments', state({ global: 'argparse Namespace' }), /refers to argparse\.Namespace/],
    [
      'with a quantised tensor',
      state(call('torch._utils _rebuild_qtensor')),
      /refers to torch\._utils\._rebuild_qtensor/,
    ],
    [
      'with a name that lies across lines',
      raw('cos\nsys\u001b[31mtem\nR'),
      /refers to os\.sys\\u001b\[31mtem,/,
    ],
    [
      'with an instance of a class',
      state(raw('(icollections\nOrderedDict\n')),
      /has the pickle opcode INST, which plain tensors do not need; it is not run\./,
    ],
    ['of protocol 4', raw(0x80, 4), /has a pickle of protocol 4; save it with torch\.save's own, which is 2/],
    [
      'with a name from its stack',
      raw('X\u0002\0\0\0osX\u0006\0\0\0system', 0x93),
      /has the pickle opcode STACK_GLOBAL,/,
    ],
    ['with an opcode that there is not', raw(0xff), /has the pickle opcode 0xff/],
    ['with an object whose state is set', state(raw(')}b')), /sets the state of an object/],
    ['when it calls a value', { call: 'text', args: [] }, /is not valid at byte/],
    ['when it calls a storage class', state(call('torch FloatStorage')), /is not valid/],
    ['without a dictionary', tensor, /does not hold a dictionary of tensors/],
    ['with a list of tensors', [tensor], /does not hold a dictionary of tensors/],
    ['with an unknown storage', view({ key: '1' }), /tensor weight has no storage in the archive/],
    [
      'with a storage of another class',
      view({ storage: 'collections OrderedDict' }),
      /a storage is not valid/,
    ],
    [
      'with a storage of complex numbers',
      view({ storage: 'torch ComplexFloatStorage' }),
      /refers to torch\.ComplexFloatStorage/,
    ],
    ['with a negative size', view({ shape: [-2, 3] }), /a tensor is not valid/],
    ['with a fractional size', view({ shape: [1.5, 3] }), /a tensor is not valid/],
    ['with more strides than sizes', view({ strides: [3, 1, 1] }), /a tensor is not valid/],
    ['with a negative offset', view({ offset: -1 }), /a tensor is not valid/],
    ['with a tensor beyond its storage', view({ offset: 1 }), /ends at element 6 of a storage that has 6/],
    ['with a stride beyond its storage', view({ strides: [2 ** 52, 1] }), /ends at element \d+ of a storage/],
    [
      'with a tensor larger than its storage',
      view({ shape: [2 ** 30, 2 ** 30], strides: [0, 0] }),
      /has \d+ elements in a storage that has 6/,
    ],
    [
      'with a parameter that is no tensor',
      state(call('torch._utils _rebuild_parameter', 7)),
      /a parameter has no tensor/,
    ],
    ['with dictionaries nested too deep', deep(20), /nested more than 8 deep/],
    ['with a dictionary that holds itself', raw('}q\0X\u0001\0\0\0ah\0s'), /nested more than 8 deep/],
    ['with dictionaries that hold each other many times over', bomb(), /more than 100000 values/],
    [
      'with a name that is too long',
      new Map([['a'.repeat(513), tensor]]),
      /a name of more than 512 characters/,
    ],
    [
      'with two tensors of one name',
      new Map<string, Pickled>([
        ['a.b', tensor],
        ['a', new Map([['b', tensor]])],
      ]),
      /two tensors a\.b/,
    ],
    ['with a pickle that ends early', raw('X\u00ff\u00ff\u00ff\u00ff'), /is not valid at byte/],
    ['with an empty stack', raw('R'), /is not valid at byte/],
    ['with a mark that was never set', raw('t'), /is not valid at byte/],
    ['with a memory that was never written', raw('h\u0007'), /is not valid at byte/],
    ['with a number of 255 bytes', raw(0x8a, 0xff), /a whole number of 255 bytes/],
    ['with a pickle of millions of steps', raw('N'.repeat(1_000_001)), /a pickle of more than 1000000 steps/],
  ];
  for (const [what, value, message] of pickles) {
    it(what, async (t) => {
      await assert.rejects(read(t, torchFile(value, storages)), { code: 'invalid_argument', message });
    });
  }

  const entry = { name: 'archive/data.pkl', content: pickle(state(tensor)) };
  const data = { name: 'archive/data/0', content: storages[0] };
  const whole = torchFile(state(tensor), storages);
  const files: readonly [string, Uint8Array, RegExp][] = [
    ['when it is empty', Buffer.alloc(0), /is truncated, or was not written by torch\.save/],
    ['when it is another kind of file', Buffer.alloc(4096, 'x'), /it is not a ZIP archive/],
    ['when its end is missing', whole.subarray(0, -30), /is truncated or damaged as an archive/],
    [
      'when its pickle is compressed',
      zip([{ ...entry, method: 8 }, data]),
      /a file is compressed or encrypted/,
    ],
    ['when it has no pickle', zip([data]), /its archive has 0 files named data\.pkl, not one/],
    [
      'when it has two pickles',
      zip([entry, { ...entry, name: 'b/data.pkl' }, data]),
      /its archive has 2 files named data\.pkl/,
    ],
    ['when two of its files have one name', zip([entry, data, data]), /two files have the same name/],
    ['when a name in it leads out of it', zip([{ ...entry, name: '../data.pkl' }]), /invalid relative path/],
    [
      'when its byte order is another',
      zip([entry, data, { name: 'archive/byteorder', content: Buffer.from('big') }]),
      /the byte order big; only little is read/,
    ],
    [
      'when its pickle is too large',
      zip([{ ...entry, content: Buffer.alloc(9 << 20) }]),
      /a pickle or byte order of 9437184 bytes; at most 8388608 are read/,
    ],
    [
      'when a storage is cut',
      torchFile(state(tensor), { 0: new Uint8Array(20) }),
      /ends at element 5 of a storage that has 5/,
    ],
  ];
  for (const [what, content, message] of files) {
    it(what, async (t) => {
      await assert.rejects(read(t, content), { code: 'invalid_argument', message });
    });
  }

  it('when torch before 1.6 wrote it, with the line that converts it', async () => {
    await assert.rejects(readTorchFile(fixture('checkpoints/bin-legacy/pytorch_model.bin')), {
      code: 'invalid_argument',
      message:
        /format of torch before 1\.6.* python -c "import torch; torch\.save\(torch\.load\('pytorch_model\.bin', .*weights_only=True\), 'pytorch_model\.bin'\)"\.$/,
    });
  });

  it('wherever it is cut off', async (t) => {
    const folder = await temporaryFolder(t);
    const file = await readFile(fixture('checkpoints/bin-views/pytorch_model.bin'));
    for (let size = 0; size < file.byteLength; size += 997) {
      const path = join(folder, 'pytorch_model.bin');
      await writeFile(path, file.subarray(0, size));
      await assert.rejects(readTorchFile(path), { code: 'invalid_argument', message: /is truncated/ });
    }
  });
});

/** A dictionary of two that are one and the same, six times over, of ten keys each. */
function bomb(): Pickled {
  const keys = Array.from({ length: 10 }, (_, index) => `X\u0001\0\0\0${index}h\u0000`).join('');
  return raw('}q\0', ...Array.from({ length: 6 }, () => `}(${keys}uq\0`));
}
