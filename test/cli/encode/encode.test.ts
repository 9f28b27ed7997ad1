import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { pack } from 'tar-stream';
import { encodeFiles } from '../../../src/cli/encode/encode.ts';
import { Interruption } from '../../../src/cli/terminal.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { requireProjector } from '../../../src/model/require-projector.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { encodeWith, firstByte, folderWith, manifestOf, settingsOf, stubParts } from './encode-stub.ts';

interface ArchiveHeader {
  readonly __metadata__: never;
  readonly [name: string]: { readonly dtype: string; readonly data_offsets: [number, number] };
}

test('writes a file of tokens for each file, a manifest, and nothing else', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.png': [2, 9] });
  const { exitCode, stdout, seen } = await encodeWith(
    [at('a.jpg'), at('b.png')],
    ['--out', at('out'), '--model', 'x=1'],
  );
  assert.equal(exitCode, 0);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'b.npy', 'manifest.jsonl']);
  const npy = await readFile(at('out/b.npy'));
  assert.deepEqual([...npy.subarray(-4)], [2, 2, 7, 7]);
  assert.match(stdout, /^\S+\/out: 2 images encoded, [\d.]+ s, [\d.]+ images\/s\n$/);
  assert.deepEqual(seen.configs[0]?.models, [{ name: 'x', folder: '1' }]);
  assert.equal(seen.closed, 1);
  const line = (await manifestOf(at('out'))).find(({ output }) => output === 'b.npy');
  assert.deepEqual(line, {
    file: at('b.png'),
    size: 2,
    sha256: createHash('sha256').update(Uint8Array.of(2, 9)).digest('hex'),
    output: 'b.npy',
    output_bytes: npy.byteLength,
    shape: [2, 1],
    model: { name: 'stub', digest: 'sha256:0' },
    recipe: 'encode',
    options: { output: 'features', dtype: 'float16', exif: 'apply' },
    format: 'npy',
  });
});

test('encodes with a recipe and its options, and says so in the manifest', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const flags = [
    '--recipe',
    'teacher',
    '--scales',
    '512,1024',
    '--weights',
    '1,2',
    '--windows',
    'half_overlap',
  ];
  const { exitCode, seen } = await encodeWith([at('a.jpg')], ['--out', at('out'), ...flags]);
  assert.equal(exitCode, 0);
  assert.deepEqual(seen.requests[0]?.recipe, {
    recipe: 'teacher',
    scales: [512, 1024],
    weights: [1, 2],
    fusion: 'average',
    windows: 'half_overlap',
  });
  const [line] = await manifestOf(at('out'));
  assert.equal(line?.['recipe'], 'teacher');
  assert.deepEqual(line['options'], {
    output: 'features',
    dtype: 'float16',
    exif: 'apply',
    scales: '512,1024',
    weights: '1,2',
    fusion: 'average',
    windows: 'half_overlap',
  });
});

test('loads a second model for scales that are one view each', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const models = ['--model', 'x=1', '--model', 'y=2'];
  const flags = ['--out', at('out'), '--recipe', 'teacher', '--windows', 'whole', ...models];
  const { seen } = await encodeWith([at('a.jpg')], flags);
  assert.equal(seen.configs[0]?.models.length, 2);
});

test('writes embeddings where they are asked for, and files for torch with their own extension', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const flags = ['--out', at('out'), '--embeddings', '--format', 'torch', '--dtype', 'bfloat16'];
  const { exitCode, seen } = await encodeWith([at('a.jpg')], flags);
  assert.equal(exitCode, 0);
  assert.equal(seen.requests[0]?.options.output, 'embeddings');
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.pt', 'manifest.jsonl']);
});

test('refuses embeddings of a model without a projector once, before it loads the model or makes a folder', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  await mkdir(at('tower'));
  await cp('test/fixtures/model-folders/export-version-3.json', at('tower/model.json'));
  for (const [flags, name] of [
    [['--model', `tower=${at('tower')}`], 'tower'],
    [[], 'nano-hd'],
  ] as const) {
    const { parts, seen } = stubParts();
    const stub = { parts: { ...parts, requireProjector }, seen };
    const all = ['--out', at('out'), '--embeddings', ...flags];
    const { exitCode, stderr } = await encodeWith([at('a.jpg'), at('b.jpg')], all, stub);
    assert.ok(exitCode instanceof ServiceError);
    assert.equal(exitCode.code, 'failed_precondition');
    assert.match(exitCode.message, new RegExp(`^The model "${name}" has no projector`));
    assert.equal(stderr, '');
    assert.deepEqual(seen.configs, []);
  }
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['a.jpg', 'b.jpg', 'tower']);
});

test('names a file that fails on stderr and in the manifest, does the others, and exits with 1', async (context) => {
  const at = await folderWith(context, {
    'a.jpg': [1],
    'bad.jpg': [0],
    'c.jpg': [3],
    'big.jpg': Array(2000).fill(1),
  });
  const names = ['a.jpg', 'bad.jpg', 'missing.jpg', 'big.jpg', 'c.jpg'];
  const flags = ['--out', at('out'), '--format', 'safetensors', '--max-file-bytes', '1KiB'];
  const { exitCode, stdout, stderr } = await encodeWith(names.map(at), flags);
  assert.equal(exitCode, 1);
  assert.match(stdout, /: 2 images encoded, 3 failed, /);
  assert.deepEqual((await readdir(at('out'))).toSorted(), [
    'a.safetensors',
    'c.safetensors',
    'manifest.jsonl',
  ]);
  const problems = {
    'bad.jpg': 'This is not an image.',
    'big.jpg': 'It has 2000 bytes; at most 1024 are read (--max-file-bytes).',
    'missing.jpg': 'no such file or directory.',
  };
  const expected = Object.entries(problems).map(([name, problem]) => `siglip-hd: ${at(name)}: ${problem}`);
  assert.deepEqual(stderr.trimEnd().split('\n').toSorted(), expected.toSorted());
  const failed = (await manifestOf(at('out'))).filter(({ error }) => error !== undefined);
  assert.deepEqual(
    Object.fromEntries(failed.map(({ file, error }) => [file, error?.detail])),
    Object.fromEntries(Object.entries(problems).map(([name, problem]) => [at(name), problem])),
  );
});

test('loads no model and makes no folder when nothing that was named is there', async (context) => {
  const at = await folderWith(context, {});
  const named = [at('missing.jpg'), at('*.png'), at('none/x.jpg')];
  const { exitCode, seen } = await encodeWith(named, ['--out', at('out')]);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.code, 'invalid_argument');
  assert.deepEqual(exitCode.sentences, [
    `${named[1]}: no file matches this pattern.`,
    `${named[0]}: no such file or directory.`,
    `${named[2]}: no such file or directory.`,
  ]);
  assert.deepEqual([seen.configs, await readdir(at('.'))], [[], []]);
});

test('counts a missing file once, however often it is named', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const named = [at('a.jpg'), at('nope.jpg'), at('./nope.jpg'), at('nope.jpg')];
  const { stdout, stderr } = await encodeWith(named, ['--out', at('out')]);
  assert.match(stdout, /: 1 image encoded, 1 failed, /);
  assert.equal(stderr, `siglip-hd: ${at('nope.jpg')}: no such file or directory.\n`);
  const lines = await manifestOf(at('out'));
  assert.deepEqual(lines.map(({ file }) => file).toSorted(), [at('a.jpg'), at('nope.jpg')]);
});

test('refuses to write over what it reads', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const { exitCode } = await encodeWith([at('.')], ['--out', at('.')]);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.message, `--out ${at('.')} is one of the inputs; choose another place.`);
});

test('lists fifty failures, counts the rest, and has all in the manifest', async (context) => {
  const names = Array.from({ length: 60 }, (_, index) => `${index}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [0]])));
  const { exitCode, stderr } = await encodeWith([at('.')], ['--out', at('out')]);
  assert.equal(exitCode, 1);
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.includes('images/s'));
  assert.equal(lines.length, 51);
  assert.equal(lines.at(-1), `siglip-hd: 10 more files failed; ${at('out/manifest.jsonl')} has all.`);
  assert.equal((await manifestOf(at('out'))).length, 60);
});

test('stops at once when every image would fail alike, and says why', async (context) => {
  const names = Array.from({ length: 500 }, (_, index) => `${index}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [1]])));
  const stub = stubParts(async () => {
    throw new ServiceError('unavailable', 'No engine works.');
  });
  const { exitCode, seen } = await encodeWith([at('.')], ['--out', at('out')], stub);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.message, 'No engine works.');
  assert.ok(seen.requests.length < 100, `${seen.requests.length} were tried`);
  assert.equal(seen.closed, 1);
});

test('says how many images are done, and how to go on, when the service is gone', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  await encodeWith([at('a.jpg')], ['--out', at('out')]);
  const stub = stubParts(async () => {
    throw new ServiceError('unavailable', 'No engine works.');
  });
  const { exitCode } = await encodeWith([at('a.jpg'), at('b.jpg')], ['--out', at('out')], stub);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(
    exitCode.message,
    'No engine works. 1 of 2 images are done. Run the same command again to resume.',
  );
});

test('goes on where it was left: keeps what is whole, encodes what is missing, cut or failed', async (context) => {
  const at = await folderWith(context, {
    'in/a.jpg': [1],
    'in/b.jpg': [2],
    'in/c.jpg': [0],
    'in/d.jpg': [4],
  });
  const first = await encodeWith([at('in')], ['--out', at('out')]);
  assert.equal(first.exitCode, 1);
  await rm(at('out/a.npy'));
  await truncate(at('out/b.npy'), 100);
  await writeFile(at('in/c.jpg'), Uint8Array.of(3));
  // A line that a kill has cut short.
  await appendFile(at('out/manifest.jsonl'), '{"file":"in/x');
  const second = await encodeWith([at('in')], ['--out', at('out')]);
  assert.equal(second.exitCode, 0);
  assert.match(second.stdout, /: 3 images encoded, 1 already encoded, /);
  const lines = await manifestOf(at('out'));
  assert.deepEqual(
    lines.map(({ file }) => file).toSorted(),
    ['a', 'b', 'c', 'd'].map((name) => at(`in/${name}.jpg`)),
  );
  assert.ok(lines.every(({ error }) => error === undefined));
  const third = await encodeWith([at('in')], ['--out', at('out')]);
  assert.deepEqual([third.exitCode, third.seen.encoded], [0, 0]);
});

test('keeps what is there when the same files are given by other paths', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b/a.jpg': [2] });
  await mkdir(at('tars'));
  const tar = pack();
  tar.entry({ name: 'x/m.jpg' }, Buffer.of(3));
  tar.finalize();
  await writeFile(at('tars/t.tar'), await buffer(tar));
  await symlink(at('in'), at('linked'));
  await symlink('.', at('in/self'));
  const here = relative(process.cwd(), at('in'));
  const first = await encodeWith([here, at('tars')], ['--out', at('out')]);
  assert.deepEqual([first.exitCode, first.seen.encoded], [0, 3]);
  const again = [at('in'), here, at('linked'), at('in/**/*.jpg'), relative(process.cwd(), at('tars/t.tar'))];
  const second = await encodeWith(again, ['--out', at('out')]);
  assert.deepEqual([second.exitCode, second.seen.encoded], [0, 0]);
  assert.match(second.stdout, /: 0 images encoded, 3 already encoded, /);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'b', 'manifest.jsonl', 'x']);
});

test('encodes a picture and a folder whose outputs would have one name', async (context) => {
  const at = await folderWith(context, { 'in/a.npy/b.jpg': [1], 'in/a.jpg': [2], 'in/a.npy/c.jpg': [3] });
  for (const encoded of [3, 0]) {
    const { exitCode, seen } = await encodeWith([at('in')], ['--out', at('out')]);
    assert.deepEqual([exitCode, seen.encoded], [0, encoded]);
  }
});

test('refuses options that do not go together, in the words of the command line', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1] });
  const flags = ['--out', at('out'), '--pooled', '--features', 'penultimate'];
  const { exitCode } = await encodeWith([at('in')], flags);
  assert.ok(exitCode instanceof ServiceError);
  assert.match(exitCode.message, /^--pooled is one vector.*: leave --features out, or leave --pooled out\.$/);
  const { parts, seen } = stubParts();
  const encoder = {
    plan() {
      throw new ServiceError('invalid_argument', 'Use windows=tiles.');
    },
    encode: () => assert.fail('the plan was refused'),
    close: async () => undefined,
  };
  const refusing = { ...parts, createEncoder: async () => encoder };
  const planned = await encodeWith([at('in')], ['--out', at('out')], { parts: refusing, seen });
  assert.deepEqual(planned.exitCode, new ServiceError('invalid_argument', 'Use --windows tiles.'));
});

test('refuses to mix tokens of other options, or of an image that has changed', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1] });
  await encodeWith([at('in')], ['--out', at('out')]);
  const other = await encodeWith([at('in')], ['--out', at('out'), '--dtype', 'float32']);
  assert.ok(other.exitCode instanceof ServiceError);
  assert.equal(other.exitCode.code, 'failed_precondition');
  assert.match(
    other.exitCode.message,
    /manifest\.jsonl lists tokens of other settings: --dtype float16, not float32\. Encode into another folder\.$/,
  );
  const state = ['--features', 'last_hidden_state'];
  const otherState = await encodeWith([at('in')], ['--out', at('out'), ...state]);
  assert.ok(otherState.exitCode instanceof ServiceError);
  assert.match(otherState.exitCode.message, /: --features unset, not last_hidden_state\. Encode/);
  await writeFile(at('in/a.jpg'), Uint8Array.of(1, 1));
  const changed = await encodeWith([at('in')], ['--out', at('out')]);
  assert.equal(changed.exitCode, 1);
  assert.match(changed.stderr, /a\.jpg: It has changed since it was encoded: it had 1 bytes and has 2\./);
});

test('refuses to go on when any model of --windows whole is another', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1] });
  const runWith = async (larger: string) => {
    const flags = ['--out', at('out'), '--recipe', 'teacher', '--windows', 'whole', '--scales', '512,1024'];
    return await encodeWith([at('in')], [...flags, '--model', 'x=1', '--model', `y=${larger}`]);
  };
  assert.equal((await runWith('2')).exitCode, 0);
  assert.deepEqual((await manifestOf(at('out')))[0]?.['scale_models'], ['sha256:1', 'sha256:2']);
  assert.equal((await runWith('2')).exitCode, 0);
  await writeFile(at('in/b.jpg'), Uint8Array.of(2));
  const { exitCode, seen } = await runWith('3');
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.code, 'failed_precondition');
  assert.match(exitCode.message, /: scale models sha256:1,sha256:2, not sha256:1,sha256:3\. Encode/);
  assert.equal(seen.encoded, 0);
});

test('refuses a manifest with a damaged line, and leaves it as it is', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/b.jpg': [2] });
  await encodeWith([at('in')], ['--out', at('out')]);
  const text = `oops\n${await readFile(at('out/manifest.jsonl'), 'utf8')}`;
  await writeFile(at('out/manifest.jsonl'), text);
  const { exitCode } = await encodeWith([at('in')], ['--out', at('out')]);
  assert.ok(exitCode instanceof ServiceError);
  assert.match(exitCode.message, /manifest\.jsonl, line 1, is damaged\./);
  assert.equal(await readFile(at('out/manifest.jsonl'), 'utf8'), text);
  assert.deepEqual((await readdir(at('out'))).toSorted(), ['a.npy', 'b.npy', 'manifest.jsonl']);
});

test('keeps apart files that would have one name, and never changes a name that was given', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [0], 'in/a.png': [2], 'other/a.jpg': [3] });
  const run = async () => encodeWith([at('in'), at('other')], ['--out', at('out')]);
  await run();
  const outputs = async () =>
    Object.fromEntries((await manifestOf(at('out'))).map(({ file, output }) => [file, output]));
  const before = await outputs();
  assert.equal(before[at('in/a.png')], 'a-png.npy');
  assert.match(before[at('other/a.jpg')] ?? '', /^a-jpg\.npy$/);
  await writeFile(at('in/a.jpg'), Uint8Array.of(1));
  await run();
  assert.deepEqual(await outputs(), { ...before, [at('in/a.jpg')]: 'a.npy' });
  for (const [name, byte] of [
    ['a', 1],
    ['a-png', 2],
    ['a-jpg', 3],
  ] as const) {
    assert.equal((await readFile(at(`out/${name}.npy`))).at(-4), byte);
  }
});

test('reads paths from stdin, in lines or ended by NUL', async (context) => {
  const at = await folderWith(context, { 'in/x/a.jpg': [1], 'in/y/a.jpg': [2], 'in/y/with\nnewline': [3] });
  const lines = `${at('in/x/a.jpg')}\n\n${at('in/y/a.jpg')}\n`;
  const first = await encodeWith(['-'], ['--out', at('lines')], stubParts(), lines);
  assert.equal(first.exitCode, 0);
  const below = at('in').slice(1);
  assert.deepEqual(
    (await manifestOf(at('lines'))).flatMap(({ output = '' }) => output).toSorted(),
    ['x', 'y'].map((name) => `${below}/${name}/a.npy`),
    'outputs lie as the listed paths do',
  );
  const nul = await encodeWith(['-'], ['--out', at('nul')], stubParts(), `${at('in/y/with\nnewline')}\0`);
  assert.equal(nul.exitCode, 0);
});

test('says how far it is in plain lines where there is no terminal', async (context) => {
  const names = Array.from({ length: 40 }, (_, index) => `${index}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [1]])));
  // The clock ticks 1 s at every look.
  const { stderr } = await encodeWith([at('.')], ['--out', at('out')]);
  assert.match(
    stderr,
    /^(?:siglip-hd: \d+ of 40 images, [\d.]+ images\/s, (?:\d+ s|\d+ min|unknown time) left\n){2,5}$/,
  );
});

test('writes an archive with a tensor for each file that did not fail', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'bad.jpg': [0], 'ü "c".jpg': [3] });
  const files = [at('a.jpg'), at('bad.jpg'), at('ü "c".jpg')];
  const { exitCode } = await encodeWith(files, ['--out', at('all.safetensors'), '--dtype', 'bfloat16']);
  assert.equal(exitCode, 1);
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
    assert.deepEqual([...data], [byte, byte, 7, 7]);
  }
  assert.equal(archive.byteLength, 8 + headerBytes + 8, 'no holes and no rest');
});

test('has room for the header of an archive of many files', async (context) => {
  const names = Array.from({ length: 300 }, (_, index) => `${index}-${'"'.repeat(100)}.jpg`);
  const at = await folderWith(
    context,
    Object.fromEntries(names.map((name, index) => [name, [index % 256 || 7]])),
  );
  assert.equal((await encodeWith(names.map(at), ['--out', at('all.safetensors')])).exitCode, 0);
  const archive = await readFile(at('all.safetensors'));
  const dataStart = 8 + Number(archive.readBigUInt64LE(0));
  const { __metadata__, ...tensors } = JSON.parse(archive.subarray(8, dataStart).toString()) as ArchiveHeader;
  assert.deepEqual(Object.keys(tensors).toSorted(), names.map(at).toSorted());
  const offsets = Object.values(tensors).map(({ data_offsets: each }) => each);
  assert.deepEqual(
    offsets.toSorted(([a], [b]) => a - b),
    names.map((_, index) => [4 * index, 4 * index + 4]),
    'no holes and no overlaps',
  );
  assert.equal(archive.byteLength, dataStart + 4 * names.length);
  for (const [
    name,
    {
      data_offsets: [start, end],
    },
  ] of Object.entries(tensors)) {
    const byte = names.findIndex((each) => at(each) === name) % 256 || 7;
    assert.deepEqual([...archive.subarray(dataStart + start, dataStart + end)], [byte, byte, 7, 7]);
  }
});

test('lists all failures where there is no manifest', async (context) => {
  const names = Array.from({ length: 60 }, (_, index) => `${index}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [0]])));
  const { exitCode, stderr } = await encodeWith(names.map(at), ['--out', at('all.safetensors')]);
  assert.equal(exitCode, 1);
  for (const name of names) assert.ok(stderr.includes(`${at(name)}: This is not an image.\n`), name);
});

test('stops at an input that the disk does not give, and names it', async (context) => {
  const names = Array.from({ length: 200 }, (_, index) => `${index}.jpg`);
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [1]])));
  // Linux answers a read of its first bytes with EIO.
  const unreadable = '/proc/self/mem';
  const { exitCode, seen } = await encodeWith([unreadable, at('.')], ['--out', at('out')]);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.message, `${unreadable}: i/o error.`);
  assert.ok(seen.requests.length < 150, `${seen.requests.length} were tried`);
});

test('leaves no archive when every file failed, and makes none of tars', async (context) => {
  const at = await folderWith(context, { 'bad.jpg': [0], 'x.tar': [] });
  assert.equal((await encodeWith([at('bad.jpg')], ['--out', at('all.safetensors')])).exitCode, 1);
  const { exitCode } = await encodeWith([at('x.tar')], ['--out', at('all.safetensors')]);
  assert.ok(exitCode instanceof ServiceError);
  assert.match(
    exitCode.message,
    /all\.safetensors needs the list of images up front, which a tar does not give\. Use a folder\./,
  );
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['bad.jpg', 'x.tar']);
});

test('waits for no model that is loading or closing once it is interrupted', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const never = new Promise<never>(() => {});
  for (const phase of ['createEncoder', 'close'] as const) {
    for (const flags of [
      ['--out', at('out')],
      ['--preview', at('a.png')],
    ]) {
      const { terminal, interrupt } = fakeTerminal();
      const { parts } = stubParts();
      const createEncoder: typeof parts.createEncoder = async (...args) => {
        if (phase === 'createEncoder') {
          interrupt();
          return await never;
        }
        const encoder = await parts.createEncoder(...args);
        const close = async () => {
          interrupt();
          await never;
        };
        return { ...encoder, close };
      };
      const encoding = encodeFiles([at('a.jpg')], settingsOf(flags), terminal, { ...parts, createEncoder });
      await assert.rejects(encoding, Interruption);
    }
  }
});

test('stops at SIGINT, closes the encoder, leaves no half archive, and says how to go on with a folder', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  for (const [out, message] of [
    ['all.safetensors', 'Interrupted.'],
    ['out', 'Interrupted. Run the same command again to resume.'],
  ] as const) {
    const { terminal, interrupt } = fakeTerminal();
    const { parts, seen } = stubParts(async ({ signal }) => {
      interrupt();
      throw signal.reason;
    });
    const encoding = encodeFiles([at('a.jpg'), at('b.jpg')], settingsOf(['--out', at(out)]), terminal, parts);
    await assert.rejects(encoding, { code: 'cancelled', message });
    assert.equal(seen.closed, 1);
  }
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['a.jpg', 'b.jpg', 'out']);
  assert.deepEqual(await manifestOf(at('out')), []);
  assert.equal((await encodeWith([at('a.jpg')], ['--out', at('out')], stubParts(firstByte))).exitCode, 0);
});
