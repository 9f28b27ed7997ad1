// The image, as far as it can be made without Docker: its own build steps in a clean folder, and the service run from
// the result.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import type { AnswerMetadata } from '../../src/tokens/answer-metadata.ts';
import { imageBytes } from '../support/golden.ts';
import { buildFolder, carryOut, readStages, type Stage } from '../support/dockerfile.ts';
import { externalTest, runProgram } from '../support/external.ts';

const stages = readStages('Dockerfile');
const stage = (name: string): Stage => stages.find((one) => one.name === name)!;
const root = buildFolder();
const image = join(root, 'app');

before(async () => {
  chmodSync(root, 0o755);
  await carryOut(stage('build'), join(root, 'build'));
  await carryOut(stage('cpu'), image, join(root, 'build'));
});

/** Bytes of all files below a folder. */
function sizeOf(path: string): number {
  const entry = lstatSync(path);
  if (!entry.isDirectory()) return entry.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** Nobody may write into it; root could all the same, and does not run the service here. */
function makeReadOnly(path: string): void {
  const entry = lstatSync(path);
  if (entry.isSymbolicLink()) return;
  chmodSync(path, entry.mode & 0o555);
  if (entry.isDirectory()) for (const name of readdirSync(path)) makeReadOnly(join(path, name));
}

test('the pruned folder is under 250 MB, of production packages and one platform', (t) => {
  const packages = readdirSync(join(image, 'node_modules')).map((name) => `node_modules/${name}`);
  const parts = [...packages, 'build', 'cache', 'weights', 'bin', 'proto'].map(
    (name) => [name, sizeOf(join(image, name)) / 1e6] as const,
  );
  const total = parts.reduce((sum, [, size]) => sum + size, 0);
  const largest = parts.toSorted(([, a], [, b]) => b - a).slice(0, 8);
  t.diagnostic(
    `${total.toFixed(1)} MB: ${largest.map(([name, size]) => `${name} ${size.toFixed(1)}`).join(', ')}`,
  );
  assert.ok(total < 250, `${total} MB`);
  for (const name of ['typescript', 'fast-check', '@biomejs/biome']) {
    assert.ok(!existsSync(join(image, 'node_modules', name)), name);
  }
  const binaries = join(image, 'node_modules/onnxruntime-node/bin/napi-v6');
  assert.deepEqual(
    readdirSync(binaries).flatMap((system) =>
      readdirSync(join(binaries, system)).map((arch) => `${system} ${arch}`),
    ),
    [`${process.platform} ${process.arch}`],
  );
});

test('the service starts from the folder, read-only and as nobody, and encodes with the baked models', async (t) => {
  makeReadOnly(image);
  const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const env = { PATH: process.env['PATH'], SIGLIPHD_CACHE_DIR: join(image, 'cache'), NODE_ENV: 'production' };
  const args = ['bin/siglip-hd.cjs', 'serve', '--host=127.0.0.1', '--http-port=0', '--grpc-port=0'];
  const startedAt = performance.now();
  const child: ChildProcess = spawn(process.execPath, [...args, '--log-format=json'], {
    cwd: image,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...unprivileged,
  });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  let readyMs = 0;
  const url = await new Promise<string>((resolve, reject) => {
    void exited.then(() => reject(new Error('it ended')));
    createInterface(child.stdout!).on('line', (line) => {
      const { msg, http } = JSON.parse(line) as { msg: string; http?: string };
      if (msg !== 'ready') return;
      readyMs = performance.now() - startedAt;
      resolve(http!);
    });
  });
  t.diagnostic(`ready after ${(readyMs / 1000).toFixed(2)} s, with the times of its batches measured`);
  const body = new Uint8Array(imageBytes('rocket.jpg'));
  const answer = await fetch(`${url}/encode?format=raw`, { method: 'POST', body });
  assert.equal(answer.status, 200);
  const { shape, model } = JSON.parse(answer.headers.get('tokens-meta')!) as AnswerMetadata;
  assert.equal(model.name, 'nano-hd');
  assert.equal((await answer.arrayBuffer()).byteLength, shape[0]! * shape[1]! * 2);

  const port = new URL(url).port;
  const health = (asked: string) =>
    runProgram(process.execPath, [join(image, 'bin/health.cjs')], { SIGLIPHD_HTTP_PORT: asked });
  assert.equal((await health(port)).exitCode, 0);
  child.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
  // ONNX Runtime says there that its telemetry finds no place for its file, unless that is off.
  assert.equal(said, '');
  assert.equal((await health(port)).exitCode, 1);
});

test('both images run the service as nobody in particular, ask after its health, and say what they are', () => {
  for (const name of ['cpu', 'cuda']) {
    const { instructions } = stage(name);
    const textOf = (wanted: string) =>
      instructions
        .filter((one) => one.name === wanted)
        .map(({ text }) => text)
        .join('\n');
    assert.equal(textOf('USER'), '1000:1000');
    assert.equal(textOf('ENTRYPOINT'), '["node", "bin/siglip-hd.cjs"]');
    assert.match(textOf('HEALTHCHECK'), /\["node", "bin\/health\.cjs"\]$/);
    assert.match(textOf('ENV'), /LD_PRELOAD=\/usr\/lib\/libjemalloc\.so\.2/);
    for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
      assert.ok(textOf('LABEL').includes(`org.opencontainers.image.${label}=`), label);
    }
  }
});

const linter = new URL('../../../deploy/tools/node_modules/dockerfile-utils/lib/main.js', import.meta.url);
const missingLinter = async () =>
  existsSync(linter) ? undefined : 'the linter of Dockerfiles is not there; npm run deploy-tools fetches it';

externalTest('a linter has nothing to say of the Dockerfile, and would have', missingLinter, async () => {
  const { validate } = (await import(linter.href)) as { validate: (text: string) => readonly object[] };
  const text = readFileSync('Dockerfile', 'utf8');
  assert.deepEqual(validate(text), []);
  assert.notDeepEqual(validate(text.replace('WORKDIR /app', 'WORKDIRS /app')), []);
});
