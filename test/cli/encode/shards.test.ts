import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { pack } from 'tar-stream';
import { tarMembers } from '../../../src/cli/encode/tar-members.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { encodeWith, firstByte, folderWith, manifestOf, stubParts } from './encode-stub.ts';

async function tarOf(files: Readonly<Record<string, readonly number[]>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The members of all shards of a folder, in order. */
async function membersOf(
  folder: string,
): Promise<readonly { readonly name: string; readonly bytes: Uint8Array }[]> {
  const members: { name: string; bytes: Uint8Array }[] = [];
  for (const shard of (await readdir(folder)).filter((name) => name.endsWith('.tar')).toSorted()) {
    for await (const member of tarMembers(`${folder}/${shard}`)) {
      members.push({ name: member.name, bytes: await member.read() });
    }
  }
  return members;
}

const names = Array.from({ length: 12 }, (_, index) => `${String(index).padStart(2, '0')}.jpg`);
const pictures = async (context: TestContext) =>
  folderWith(context, Object.fromEntries(names.map((name, index) => [`in/${name}`, [index + 1]])));
// Each image takes 2 KiB.
const flags = ['--format', 'webdataset', '--shard-bytes', '8KiB'];

/** Every image once, with its own tokens and metadata. */
async function assertWhole(at: (name: string) => string): Promise<void> {
  const members = await membersOf(at('out'));
  const keys = names.map((name) => name.replace('.jpg', ''));
  assert.deepEqual(
    members.map(({ name }) => name).toSorted(),
    keys.flatMap((key) => [`${key}.json`, `${key}.npy`]),
  );
  for (const [index, { name, bytes }] of members.entries()) {
    // A sample's members stand together.
    assert.equal(name.split('.')[0], members[index % 2 === 0 ? index + 1 : index - 1]?.name.split('.')[0]);
    if (name.endsWith('.npy')) assert.equal(bytes.at(-4), Number(name.slice(0, 2)) + 1);
    else assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()).file, at(`in/${name.slice(0, 2)}.jpg`));
  }
  const lines = await manifestOf(at('out'));
  assert.deepEqual(
    lines.map(({ file }) => file).toSorted(),
    names.map((name) => at(`in/${name}`)),
  );
}

test('writes shards in the layout of webdataset, each of about the size that is set', async (context) => {
  const at = await pictures(context);
  const { exitCode } = await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  assert.equal(exitCode, 0);
  const shards = ['000000.tar', '000001.tar', '000002.tar'];
  assert.deepEqual((await readdir(at('out'))).toSorted(), [...shards, 'manifest.jsonl']);
  await assertWhole(at);
  const [line] = await manifestOf(at('out'));
  assert.equal(line?.output, '000000.tar');
});

test('goes on with a shard that was left by a kill, wherever it was cut', async (context) => {
  const at = await pictures(context);
  await encodeWith([at('in')], ['--out', at('whole'), ...flags]);
  const lines = (await readFile(at('whole/manifest.jsonl'), 'utf8')).split(/(?<=\n)/);
  const { size: shardBytes } = await stat(at('whole/000001.tar'));
  for (const [kept, cutBytes] of [
    [8, shardBytes - 1024], // before the end of the tar is written
    [8, shardBytes], // before the shard is renamed
    [6, 5000], // in the middle of an image that is not recorded
    [6, 4096], // after an image
    [4, 0], // before the first image
    [4, 2048], // before the first image is recorded
    [8, 5000], // recorded images are lost, as after a power failure
  ] as const) {
    await rm(at('out'), { recursive: true, force: true });
    await cp(at('whole'), at('out'), { recursive: true });
    await rm(at('out/000002.tar'));
    await rename(at('out/000001.tar'), at('out/000001.tar.part'));
    await truncate(at('out/000001.tar.part'), cutBytes);
    await writeFile(at('out/manifest.jsonl'), lines.slice(0, kept).join(''));
    const { exitCode } = await encodeWith([at('in')], ['--out', at('out'), ...flags]);
    assert.equal(exitCode, 0, `${kept} lines, ${cutBytes} bytes`);
    await assertWhole(at);
  }
});

test('repairs a complete shard that was cut short or lost since', async (context) => {
  const at = await pictures(context);
  await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  await truncate(at('out/000001.tar'), 5000);
  await rm(at('out/000002.tar'));
  // As after a power failure that has lost lines of the manifest.
  const text = await readFile(at('out/manifest.jsonl'), 'utf8');
  await writeFile(
    at('out/manifest.jsonl'),
    text
      .split(/(?<=\n)/)
      .slice(0, -1)
      .join(''),
  );
  const { exitCode } = await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  assert.equal(exitCode, 0);
  await assertWhole(at);
});

test('stops at a shard that is not its own, rather than write over it or encode what it cannot keep', async (context) => {
  const files = Array.from({ length: 300 }, (_, index) => [`in/${index}.jpg`, [1]] as const);
  const at = await folderWith(context, Object.fromEntries(files));
  const stub = stubParts(async (request) => {
    // Stands where the second shard would be written.
    await writeFile(at('out/000001.tar.part'), 'of another');
    return await firstByte(request);
  });
  const { exitCode, seen } = await encodeWith([at('in')], ['--out', at('out'), ...flags], stub);
  assert.ok(exitCode instanceof ServiceError);
  assert.equal(exitCode.message, `${at('out/000001.tar.part')} cannot be written: file already exists.`);
  assert.ok(seen.encoded < 150, `${seen.encoded} were encoded`);
  assert.equal(await readFile(at('out/000001.tar.part'), 'utf8'), 'of another');
  const again = await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  assert.equal(again.exitCode, 0);
  assert.equal((await membersOf(at('out'))).length, 2 * files.length);
});

test('leaves no empty shard behind, and refuses one that the manifest does not know', async (context) => {
  const at = await folderWith(context, { 'in/bad.jpg': [0] });
  await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  assert.deepEqual(await readdir(at('out')), ['manifest.jsonl']);
  await writeFile(at('out/000000.tar'), await tarOf({ 'x.npy': [1] }));
  const { exitCode } = await encodeWith([at('in')], ['--out', at('out'), ...flags]);
  assert.ok(exitCode instanceof ServiceError);
  assert.match(exitCode.message, /000000\.tar has no image that the manifest lists/);
});

test('encodes the images of tars, and names their tokens after the members', async (context) => {
  const at = await folderWith(context, {
    'in/0.tar': await tarOf({
      'a/1.jpg': [1],
      'a/1.txt': [9],
      'a/2.png': [2],
      [`${'long/'.repeat(40)}3.jpg`]: [3],
    }),
    'in/1.tar': await tarOf({
      'a/1.jpg': [4],
      '../../escape.jpg': [5],
      '/etc/absolute.jpg': [6],
      'big.jpg': Array(2000).fill(1),
    }),
  });
  const run = async () => encodeWith([at('in')], ['--out', at('out'), '--max-file-bytes', '1KiB']);
  const { exitCode, stderr } = await run();
  assert.equal(exitCode, 1);
  assert.equal(
    stderr,
    `siglip-hd: ${at('in/1.tar/big.jpg')}: It has 2000 bytes; at most 1024 are read (--max-file-bytes).\n`,
  );
  const outputs = (await manifestOf(at('out'))).flatMap(({ file, output }) =>
    output === undefined ? [] : [[file.slice(at('in/').length), output]],
  );
  assert.deepEqual(Object.fromEntries(outputs), {
    '0.tar/a/1.jpg': 'a/1.npy',
    '0.tar/a/2.png': 'a/2.npy',
    [`0.tar/${'long/'.repeat(40)}3.jpg`]: `${'long/'.repeat(40)}3.npy`,
    '1.tar/a/1.jpg': 'a/1-jpg.npy',
    '1.tar/../../escape.jpg': 'escape.npy',
    '1.tar//etc/absolute.jpg': 'etc/absolute.npy',
  });
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['in', 'out']);
  const again = await run();
  assert.deepEqual([again.seen.encoded, again.exitCode], [0, 1], 'the rest is there');
});

test('encodes what is whole of a damaged tar, names it, and goes on with the next', async (context) => {
  const whole = await tarOf({ '1.jpg': [1], '2.jpg': [2], '3.jpg': [3] });
  const garbled = Buffer.from(whole);
  garbled.fill(0xaa, 1024, 1536);
  const at = await folderWith(context, {
    'in/0.tar': whole.subarray(0, 2 * 1024 + 512),
    'in/1.tar': garbled,
    'in/2.tar': await tarOf({ '4.jpg': [4] }),
    'in/3.tar': [],
  });
  const { exitCode, stderr } = await encodeWith([at('in')], ['--out', at('out')]);
  assert.equal(exitCode, 1);
  const encoded = (await manifestOf(at('out'))).flatMap(({ file, output }) =>
    output === undefined ? [] : [file],
  );
  assert.deepEqual(
    encoded.toSorted(),
    ['0.tar/1.jpg', '0.tar/2.jpg', '1.tar/1.jpg', '2.tar/4.jpg'].map((file) => at(`in/${file}`)),
  );
  assert.match(
    stderr,
    /0\.tar: the tar is damaged \(Unexpected end of data\); the images before the damage are encoded\.\n/,
  );
  assert.match(
    stderr,
    /1\.tar: the tar is damaged \(Invalid tar header.*\); the images before the damage are encoded\.\n/,
  );
});

test('prints no control characters of a tar’s names', async (context) => {
  const at = await folderWith(context, { 'x.tar': await tarOf({ '\u001b[2J.jpg': [0] }) });
  const { stderr } = await encodeWith([at('x.tar')], ['--out', at('out')]);
  assert.match(stderr, /\\u001b\[2J\.jpg: This is not an image\./);
});
