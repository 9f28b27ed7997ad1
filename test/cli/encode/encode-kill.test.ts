// The built command on a real model: killed twice and started again, and stopped by writes that fail.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test, type TestContext } from 'node:test';
import { tarMembers } from '../../../src/cli/encode/tar-members.ts';
import { importModel } from '../../../src/model/import/import-model.ts';
import { runProgram } from '../../support/external.ts';
import { scratchFolder } from '../../support/tiny-models.ts';
import { until } from '../../support/until.ts';
import { type Line, manifestOf } from './encode-stub.ts';

const scratch = scratchFolder();
const at = (name: string) => join(scratch.path, name);
const [wholeCount, brokenCount] = [75, 5];
const count = wholeCount + brokenCount;
const program = 'bin/siglip-hd.cjs';

before(async () => {
  const source = 'test/fixtures/layers/clip-projected';
  await importModel({ source, out: at('model'), precision: 'fp32' });
  await mkdir(at('pictures'));
  const pictures = ['rocket-exif6.jpg', 'page.png', 'tall.webp'];
  await Promise.all(
    Array.from({ length: wholeCount }, async (_, index) => {
      const picture = pictures[index % pictures.length]!;
      await copyFile(join('test/fixtures/images', picture), at(`pictures/${index}-${picture}`));
    }),
  );
  for (let index = 0; index < brokenCount; index += 1) {
    await writeFile(at(`pictures/${index * 15}-broken.jpg`), `no image ${index}`);
  }
  const whole = await runProgram('node', [program, ...encodeInto('uninterrupted', 'npy')]);
  assert.equal(whole.exitCode, 1, whole.stderr);
});
after(() => scratch.remove());

/** Arguments that encode the pictures into `out`, one view at a time, so that a kill does not change the tokens. */
const encodeInto = (out: string, format: string) => [
  'encode',
  at('pictures'),
  ...Object.entries({
    '--out': at(out),
    '--model': at('model'),
    '--format': format,
    '--shard-bytes': '40KiB',
    '--max-batch': '1',
    '--warm-up-ms': '0',
    '--threads': '1',
    '--view-threads': '1',
    '--decode-concurrency': '1',
  }).flat(),
];

function lineCount(out: string): number {
  try {
    return readFileSync(at(`${out}/manifest.jsonl`), 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

/** Starts the command and kills it once the manifest has so many lines. */
async function killAt(lines: number, args: readonly string[], out: string, t: TestContext): Promise<void> {
  const child = spawn('node', [program, ...args], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await until(() => lineCount(out) >= lines || child.exitCode !== null);
  child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL'], 'it was killed before it ended');
  assert.ok(lineCount(out) < count);
}

/** The line of each image in the manifest, but for where its tokens are, with its tokens as npy. */
async function contentOf(out: string): Promise<ReadonlyMap<string, unknown>> {
  const names = await readdir(at(out));
  const members = new Map<string, Uint8Array>();
  for (const shard of names.filter((name) => name.endsWith('.tar'))) {
    for await (const member of tarMembers(at(`${out}/${shard}`))) {
      assert.ok(!members.has(member.name), `${member.name} is there twice`);
      members.set(member.name, await member.read());
    }
  }
  const contentFor = async ({ output, output_bytes: sizeBytes, key, ...rest }: Line) => {
    const line = { ...rest, format: undefined };
    if (output === undefined) return { line };
    const json = members.get(`${String(key)}.json`);
    if (json !== undefined) {
      assert.equal((JSON.parse(Buffer.from(json).toString()) as Line).file, line.file);
      return { line, npy: Buffer.from(members.get(`${String(key)}.npy`)!) };
    }
    const npy = await readFile(at(`${out}/${output}`));
    assert.equal(npy.byteLength, sizeBytes);
    return { line, npy };
  };
  const lines = await manifestOf(at(out));
  assert.equal(lines.length, count);
  if (members.size > 0) assert.equal(members.size, 2 * wholeCount);
  else assert.equal(names.length, wholeCount + 1, 'nothing is left beside the tokens and the manifest');
  assert.ok(!names.some((name) => /part|lock/.test(name)), names.join());
  return new Map(await Promise.all(lines.map(async (line) => [line.file, await contentFor(line)] as const)));
}

async function requireSameContent(out: string): Promise<void> {
  const [found, uninterrupted] = [await contentOf(out), await contentOf('uninterrupted')];
  assert.equal(found.size, count);
  for (const [file, content] of uninterrupted) assert.deepEqual(found.get(file), content, file);
}

for (const format of ['npy', 'webdataset']) {
  test(`two kills lose nothing, double nothing and change no byte of ${format}`, async (t) => {
    const args = encodeInto(format, format);
    await killAt(10, args, format, t);
    await killAt(30, args, format, t);
    const { exitCode, stdout, stderr } = await runProgram('node', [program, ...args]);
    assert.equal(exitCode, 1, stderr);
    const [, encoded, there] = /: (\d+) images encoded, (\d+) already encoded, 5 failed, /.exec(stdout) ?? [];
    assert.equal(Number(encoded) + Number(there), wholeCount, stdout);
    assert.ok(Number(there) >= 25, stdout);
    await requireSameContent(format);
  });
}

/** Runs the command where no file can grow beyond `blocks` of 512 bytes. */
const runLimited = async (blocks: number, args: readonly string[]) =>
  runProgram('sh', ['-c', `ulimit -f ${blocks}; exec node "$@"`, 'sh', program, ...args]);

test('stops when the manifest cannot be written, and writes no line behind one that was cut', async () => {
  const { exitCode, stderr } = await runLimited(16, encodeInto('limited', 'npy'));
  assert.equal(exitCode, 1);
  assert.match(stderr, /manifest\.jsonl cannot be written: file too large\.\n$/);
  const lines = (await readFile(at('limited/manifest.jsonl'), 'utf8')).split('\n');
  assert.ok(lines.length > 1 && lines.length < 40, `${lines.length} lines`);
  // A later run drops what follows the last newline.
  for (const line of lines.slice(0, -1))
    assert.ok((JSON.parse(line) as Line).file.startsWith(at('pictures')));
});

test('leaves no lock in a folder where nothing can be written', async () => {
  const { exitCode, stderr } = await runLimited(0, encodeInto('full', 'npy'));
  assert.equal(exitCode, 1);
  assert.match(stderr, /file too large/);
  assert.deepEqual(await readdir(at('full')), []);
});

test('stops an archive at the first write that fails, and leaves nothing of it', async () => {
  const out = at('all.safetensors');
  const args = ['encode', at('pictures'), '--out', out, '--model', at('model'), '--warm-up-ms', '0'];
  const { exitCode, stdout, stderr } = await runLimited(64, args);
  assert.equal(exitCode, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /all\.safetensors cannot be written: file too large\.\n$/);
  const failures = stderr
    .split('\n')
    .filter((line) => line.includes('pictures/') && !line.includes('broken'));
  assert.deepEqual(failures, []);
  assert.ok(!(await readdir(scratch.path)).some((name) => name.includes('safetensors')));
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`dies of ${signal}, so that a shell sees it, and says that it was interrupted`, async (t) => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => silent.close());
    t.after(() => silent.closeAllConnections());
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const args = ['encode', at('pictures'), '--out', at(signal), '--url', url];
    const child = spawn('node', [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    const said = text(child.stderr);
    const ended = once(child, 'exit');
    await once(silent, 'request');
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.equal(await said, 'siglip-hd: Interrupted. Run the same command again to resume.\n');
  });
