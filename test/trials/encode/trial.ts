// Encodes 5,000 files with 20 broken ones, killed twice; README.md says how.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { tarMembers } from '../../../src/cli/encode/tar-members.ts';
import { imageBytes } from '../../support/golden.ts';
import { importFixture, scratchFolder } from '../../support/tiny-models.ts';

const [format = 'npy', source = 'folder'] = process.argv.slice(2);
const files = 5000;
const broken = 20;
const kills = [1500, 3400];
const scratch = scratchFolder();
process.on('exit', () => scratch.remove());

/** The pictures by name: every 250th is broken, in one of five ways. */
function* pictures(): Generator<{
  readonly name: string;
  readonly bytes: Buffer;
  readonly isBroken: boolean;
}> {
  const good = ['rocket-exif6.jpg', 'tall.webp', 'page.png'].map((name) => ({
    extension: name.slice(name.lastIndexOf('.')),
    bytes: imageBytes(name),
  }));
  const whole = imageBytes('rocket.jpg');
  const bad = [
    Buffer.from('no image at all'),
    Buffer.alloc(0),
    Buffer.from('GIF89a'),
    whole.subarray(0, 100),
    Buffer.concat([whole.subarray(0, 2), Buffer.alloc(5000, 0x41)]),
  ];
  for (let index = 0; index < files; index += 1) {
    const folder = String(index % 50).padStart(2, '0');
    const isBroken = index % (files / broken) === 0;
    const { extension, bytes } = isBroken
      ? { extension: '.jpg', bytes: bad[(index / (files / broken)) % bad.length]! }
      : good[index % good.length]!;
    // No two are alike.
    const own = isBroken ? bytes : Buffer.concat([bytes, Buffer.from(`${index}`)]);
    yield { name: `${folder}/${String(index).padStart(4, '0')}${extension}`, bytes: own, isBroken };
  }
}

interface Line {
  readonly file: string;
  readonly output?: string;
  readonly key?: string;
  readonly error?: unknown;
}

function linesOf(out: string): readonly Line[] {
  const text = readFileSync(join(out, 'manifest.jsonl'), 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

function countLines(out: string): number {
  try {
    return readFileSync(join(out, 'manifest.jsonl')).filter((byte) => byte === 10).length;
  } catch {
    return 0;
  }
}

/** Runs the command until its manifest has `killAt` lines, or to its end. Gives its exit code and its memory over time. */
async function run(args: readonly string[], out: string, killAt: number) {
  const child = spawn(process.execPath, ['bin/siglip-hd.cjs', 'encode', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const rssMiB: number[] = [];
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      rssMiB.push(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // It has ended.
    }
    if (countLines(out) >= killAt) child.kill('SIGKILL');
  }, 200);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  return { exitCode, stdout, stderr, rssMiB };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const input = join(scratch.path, 'pictures');
mkdirSync(input);
const good = new Set<string>();
const bad = new Set<string>();
const shards = source === 'tars' ? Array.from({ length: 5 }, () => pack()) : [];
const written = shards.map(async (shard, index) =>
  pipeline(shard, createWriteStream(join(input, `${index}.tar`))),
);
for (const { name, bytes, isBroken } of pictures()) {
  const shard = Number(name.slice(0, 2)) % 5;
  const file = source === 'tars' ? `${shard}.tar/${name}` : name;
  (isBroken ? bad : good).add(join(input, file));
  if (source === 'tars')
    await new Promise<void>((done) => void shards[shard]!.entry({ name }, bytes, () => done()));
  else {
    mkdirSync(join(input, name, '..'), { recursive: true });
    writeFileSync(join(input, name), bytes);
  }
}
for (const shard of shards) shard.finalize();
await Promise.all(written);
assert.deepEqual([good.size, bad.size], [files - broken, broken]);

const model = await importFixture(scratch.path, 'siglip-tiny');
const out = join(scratch.path, 'out');
const args = [
  input,
  '--out',
  out,
  '--model',
  model,
  '--format',
  format,
  '--shard-bytes',
  '32MiB',
  '--warm-up-ms',
  '500',
];
for (const [index, killAt] of [...kills, Number.POSITIVE_INFINITY].entries()) {
  const { exitCode, stdout, stderr, rssMiB } = await run(args, out, killAt);
  const steady = rssMiB.slice(Math.floor(rssMiB.length / 4));
  const half = Math.floor(steady.length / 2);
  console.log(
    `run ${index + 1}: exit ${exitCode}, ${countLines(out)} lines; RSS ${mean(steady.slice(0, half)).toFixed(0)} then ` +
      `${mean(steady.slice(half)).toFixed(0)} MiB, at most ${Math.max(...rssMiB).toFixed(0)}`,
  );
  if (killAt < files) {
    assert.equal(exitCode, null, `it ended before it was killed: ${stderr}`);
    continue;
  }
  console.log(stdout.trim().replace(scratch.path, ''));
  assert.equal(exitCode, 1);
  for (const file of bad) assert.ok(stderr.includes(`siglip-hd: ${file}: `), `${file} is not named`);
}

const lines = linesOf(out);
assert.equal(lines.length, files);
assert.deepEqual(new Set(lines.flatMap(({ file, error }) => (error === undefined ? [file] : []))), good);
assert.deepEqual(new Set(lines.flatMap(({ file, error }) => (error === undefined ? [] : [file]))), bad);
const outputs: string[] = [];
if (format === 'webdataset') {
  for (const name of readdirSync(out).filter((each) => each !== 'manifest.jsonl')) {
    assert.match(name, /^\d{6}\.tar$/);
    for await (const member of tarMembers(join(out, name))) {
      if (member.name.endsWith('.npy')) outputs.push(member.name.slice(0, -4));
    }
  }
} else {
  const all = readdirSync(out, { recursive: true, withFileTypes: true });
  outputs.push(...all.flatMap((each) => (each.isFile() ? [join(each.parentPath, each.name)] : [])));
}
const expected = lines.flatMap(({ output, key }) => (output === undefined ? [] : [key ?? join(out, output)]));
if (format !== 'webdataset') expected.push(join(out, 'manifest.jsonl'));
assert.deepEqual(outputs.toSorted(), expected.toSorted());
console.log(
  `every one of ${good.size} good files once, ${bad.size} broken ones named; ${outputs.length} outputs`,
);
