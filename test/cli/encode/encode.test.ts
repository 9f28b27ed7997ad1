import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { type EncodeParts, type EncoderSettings, encodeFiles } from '../../../src/cli/encode/encode.ts';
import { encodeCommand } from '../../../src/cli/settings/encode.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { requireProjector } from '../../../src/model/require-projector.ts';
import type { EncodeAnswer, EncodeRequest } from '../../../src/encoding/request.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { madeUp } from '../../support/answer-origin.ts';

const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };

interface ArchiveHeader {
  readonly __metadata__: never;
  readonly [name: string]: { readonly dtype: string; readonly data_offsets: [number, number] };
}

function settingsOf(args: readonly string[]) {
  const parsed = parseCommand(encodeCommand, { args: ['x', ...args], env: {}, machine });
  assert.equal(parsed.kind, 'run');
  return parsed.settings;
}

/** Two tokens of one channel, which say the image's first byte. */
async function firstByte({ images, options }: EncodeRequest): Promise<EncodeAnswer> {
  const [image] = images;
  assert.equal(image?.kind, 'file');
  const [byte = 0] = image.bytes;
  if (byte === 0) throw new ServiceError('invalid_argument', 'This is not an image.');
  return {
    tensor: {
      shape: [2, 1],
      dtype: options.dtype,
      parts: [new Uint8Array([byte, 0]), new Uint8Array([byte, 1])],
    },
    metadata: {
      model: { name: 'stub', digest: 'sha256:0', trained: false },
      recipe: 'encode',
      output: options.output ?? 'features',
      features: 'last_hidden_state',
      precision: 'fp32',
      dtype: options.dtype,
      shape: [2, 1],
      grid: { width: 1, height: 2 },
      views: 1,
      images: [{ width: 1, height: 1 }],
    },
    timings: { decodeMs: 0, viewsMs: 0, queueMs: 0, engineMs: 0 },
    ...madeUp,
  };
}

function stubParts(encode = firstByte) {
  const seen: { settings?: EncoderSettings; closed: number } = { closed: 0 };
  const parts: EncodeParts = {
    requireProjector: async () => {},
    createEncoder: async (settings) => {
      seen.settings = settings;
      return {
        encoder: { encode },
        close: async () => {
          seen.closed += 1;
        },
      };
    },
    fileOf: (format, { tensor }) => [Buffer.from(format), ...tensor.parts],
    metadataJson: (metadata) => JSON.stringify(metadata),
    logger: pino({ level: 'silent' }),
  };
  return { parts, seen };
}

async function folderWith(context: TestContext, files: Record<string, number[]>) {
  const folder = await mkdtemp(join(tmpdir(), 'encode-test-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), Buffer.from(bytes));
  return (name: string) => join(folder, name);
}

test('writes a file of tokens for each file and nothing else', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.png': [2] });
  const { terminal, stdout } = fakeTerminal();
  const { parts, seen } = stubParts();
  const settings = settingsOf(['--out', at('out'), '--model', 'x=1', '--model', 'y=2']);
  assert.equal(await encodeFiles([at('a.jpg'), at('b.png')], settings, terminal, parts), 0);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'b.npy']);
  assert.deepEqual(await readFile(at('out/b.npy')), Buffer.from([...Buffer.from('npy'), 2, 0, 2, 1]));
  assert.equal(stdout.text, `${at('out')}: 2 of 2 files, 1.0 s\n`);
  assert.deepEqual(seen.settings?.models, [{ name: 'x', folder: '1' }], 'one model is enough');
  assert.equal(seen.closed, 1);
});

test('writes embeddings where they are asked for, and files for torch with their own extension', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const outputs: unknown[] = [];
  const { parts } = stubParts(async (request) => {
    outputs.push(request.options.output);
    return await firstByte(request);
  });
  for (const flags of [['--embeddings', '--format', 'torch', '--dtype', 'bfloat16'], []]) {
    const settings = settingsOf(['--out', at('out'), ...flags]);
    assert.equal(await encodeFiles([at('a.jpg')], settings, fakeTerminal().terminal, parts), 0);
  }
  assert.deepEqual(outputs, ['embeddings', 'features']);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'a.pt']);
});

test('refuses embeddings of a model without a projector once, before it loads the model or makes a folder', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  const { parts, seen } = stubParts();
  const { terminal, stderr } = fakeTerminal();
  await mkdir(at('tower'));
  await cp('test/fixtures/model-folders/export-version-3.json', at('tower/model.json'));
  for (const [flags, name] of [
    [['--model', `tower=${at('tower')}`], 'tower'],
    [[], 'untrained'],
  ] as const) {
    const settings = settingsOf(['--out', at('out'), '--embeddings', ...flags]);
    const encoding = encodeFiles([at('a.jpg'), at('b.jpg')], settings, terminal, {
      ...parts,
      requireProjector,
    });
    await assert.rejects(encoding, {
      code: 'failed_precondition',
      message: new RegExp(`^The model "${name}" has no projector`),
    });
  }
  assert.equal(stderr.text, '');
  assert.equal(seen.settings, undefined);
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['a.jpg', 'b.jpg', 'tower']);
});

test('names a file that fails, does the others, and exits with 1', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'bad.jpg': [0], 'c.jpg': [3] });
  const { terminal, stderr } = fakeTerminal();
  const files = [at('a.jpg'), at('bad.jpg'), at('missing.jpg'), at('.'), at('c.jpg')];
  const settings = settingsOf(['--out', at('out'), '--format', 'safetensors']);
  assert.equal(await encodeFiles(files, settings, terminal, stubParts().parts), 1);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.safetensors', 'c.safetensors']);
  const lines = stderr.text.trimEnd().split('\n').toSorted();
  const problems = [
    `${at('.')}: it is a folder.`,
    `${at('bad.jpg')}: This is not an image.`,
    `${at('missing.jpg')}: no such file or directory.`,
  ];
  assert.deepEqual(lines, problems.map((problem) => `siglip-hd: ${problem}`).toSorted());
});

test('writes an archive with a tensor for each file that did not fail', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'bad.jpg': [0], 'ü "c".jpg': [3] });
  const files = [at('a.jpg'), at('bad.jpg'), at('ü "c".jpg')];
  const settings = settingsOf(['--out', at('all.safetensors'), '--dtype', 'bfloat16']);
  assert.equal(await encodeFiles(files, settings, fakeTerminal().terminal, stubParts().parts), 1);
  const archive = await readFile(at('all.safetensors'));
  const headerBytes = Number(archive.readBigUInt64LE(0));
  assert.equal((8 + headerBytes) % 64, 0);
  const header = JSON.parse(archive.subarray(8, 8 + headerBytes).toString()) as ArchiveHeader;
  const { __metadata__, ...tensors } = header;
  assert.match(JSON.stringify(__metadata__), /stub/);
  const found = Object.entries(tensors);
  assert.deepEqual(new Set(found.map(([name]) => name)), new Set([files[0], files[2]]));
  for (const [name, { dtype, data_offsets: offsets }] of found) {
    assert.equal(dtype, 'BF16');
    const byte = name === files[0] ? 1 : 3;
    const data = archive.subarray(8 + headerBytes).subarray(...offsets);
    assert.deepEqual([...data], [byte, 0, byte, 1]);
  }
  assert.equal(archive.byteLength, 8 + headerBytes + 8, 'no holes and no rest');
});

test('has room for the header of an archive of many files', async (context) => {
  const names = Array.from({ length: 300 }, (_, index) => `${index}-${'"'.repeat(100)}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [7]])));
  const settings = settingsOf(['--out', at('all.safetensors')]);
  assert.equal(await encodeFiles(names.map(at), settings, fakeTerminal().terminal, stubParts().parts), 0);
});

test('leaves no archive when every file failed', async (context) => {
  const at = await folderWith(context, { 'bad.jpg': [0] });
  const settings = settingsOf(['--out', at('all.safetensors')]);
  assert.equal(await encodeFiles([at('bad.jpg')], settings, fakeTerminal().terminal, stubParts().parts), 1);
  assert.deepEqual(await readdir(at('.')), ['bad.jpg']);
});

test('refuses two files that would become one before it encodes anything', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'a.png': [2] });
  const { parts, seen } = stubParts();
  for (const [out, files] of [
    ['out', ['a.jpg', 'a.png']],
    ['all.safetensors', ['a.jpg', 'a.jpg']],
  ] as const) {
    const encoding = encodeFiles(
      files.map(at),
      settingsOf(['--out', at(out)]),
      fakeTerminal().terminal,
      parts,
    );
    await assert.rejects(encoding, { code: 'invalid_argument' });
  }
  assert.equal(seen.settings, undefined);
});

test('stops at SIGINT, closes the encoder, and leaves no half archive', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  const { terminal, interrupt } = fakeTerminal();
  const { parts, seen } = stubParts(async ({ signal }) => {
    interrupt();
    throw signal.reason;
  });
  const settings = settingsOf(['--out', at('all.safetensors')]);
  await assert.rejects(encodeFiles([at('a.jpg'), at('b.jpg')], settings, terminal, parts), {
    code: 'cancelled',
  });
  assert.equal(seen.closed, 1);
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['a.jpg', 'b.jpg']);
});
