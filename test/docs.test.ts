import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { variableName } from '../src/cli/settings/setting.ts';
import { ensureEmbeddedModel } from '../src/model/import/embedded-models.ts';
import { embeddedNames } from '../src/model/model.ts';
import type { AnswerMetadata } from '../src/tokens/answer-metadata.ts';
import { scratchFolder } from './support/tiny-models.ts';

const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'])
  .toString()
  .trim()
  .split('\n')
  .filter((page) => existsSync(page));

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

test('every link between pages of the documentation leads to a file, and to a heading in it', () => {
  const broken: string[] = [];
  for (const page of pages) {
    const text = readFileSync(page, 'utf8').replaceAll(/^```[^]*?^```$/gm, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? page : join(dirname(page), file);
      const isThere = existsSync(path);
      const headings =
        isThere && statSync(path).isFile()
          ? [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
              anchorOf(heading),
            )
          : [];
      if (!isThere || (anchor !== undefined && !headings.includes(anchor))) broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('no line to copy runs a package that anybody could register', () => {
  const lines = pages.flatMap((page) =>
    readFileSync(page, 'utf8')
      .split('\n')
      .filter((line) => /^(?: {3,}|\|.*`)(?:\$ )?npx (?!--no-install )/.test(line))
      .map((line) => `${page}: ${line}`),
  );
  assert.deepEqual(lines, []);
});

test('docs/README.md leads to every page of docs', () => {
  const index = readFileSync('docs/README.md', 'utf8');
  const missing = pages
    .filter(
      (page) => /^docs\/[^/]+\.md$/.test(page) && page !== 'docs/README.md' && !page.endsWith('.head.md'),
    )
    .filter((page) => !index.includes(`](${page.slice('docs/'.length)})`));
  assert.deepEqual(missing, []);
});

test('every request of Python in the documentation raises the service’s error', () => {
  const unchecked = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/(?:httpx|requests)\.(?:post|get)\([^]{0,300}/g)]
      .filter(([request]) => !request.includes('raise_for_status()'))
      .map(([request]) => `${page}: ${request.split('\n')[0]}`),
  );
  assert.deepEqual(unchecked, []);
});

test('clients, examples and pages read the API key from the variable that the command reads', () => {
  const files = execFileSync('git', [
    'grep',
    '-lE',
    'SIGLIP_?HD_API_KEY\\b',
    '--',
    ':!CHANGELOG.md',
    ':!test',
  ]).toString();
  const others = files
    .trim()
    .split('\n')
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/SIGLIP_?HD_API_KEY\b/g)].map(([name]) => [file, name]),
    )
    .filter(([, name]) => name !== variableName('api-key'));
  assert.ok(files.includes('clients/python/src/'), files);
  assert.deepEqual(others, []);
});

/** What src says to users and logs, with the parts of each sentence joined. */
function spokenText(): string {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const text = files.map((name) => readFileSync(join('src', name), 'utf8')).join('\n');
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/['`] \+ ['`]/g, '')
    .replaceAll(/\$\{[^}]*\}/g, '...');
}

test('the messages that troubleshooting.md explains are those that the service gives', () => {
  // The system's, grpc-js's in a client, and vLLM's.
  const foreign = [
    'address not available',
    'read-only file system',
    'Received message larger than max',
    'Image embedding hidden',
  ];
  const spoken = spokenText();
  const page = readFileSync('docs/troubleshooting.md', 'utf8');
  const cells = page.split('\n').map((line) => /^\| ([^|]*`[^|]*) \|/.exec(line)?.[1] ?? '');
  const messages = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message]) => message!));
  // What stands between values: src has those as expressions.
  const parts = messages.flatMap((message) =>
    message.split(/\.{3}|"| \d+ |::|model\.json|^serve /).map((part) => part.trim()),
  );
  const sentences = parts.filter((part) => / /.test(part) && !foreign.some((each) => part.includes(each)));
  assert.ok(sentences.length >= 15, sentences.join('\n'));
  assert.deepEqual(
    sentences.filter((sentence) => !spoken.includes(sentence)),
    [],
  );
});

test('the sample answer of README.md is that of the embedded model', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const page = readFileSync('README.md', 'utf8');
  const sample = /^    tokens-meta: (\{[^]*?\}\]\})$/m.exec(page)?.[1];
  assert.ok(sample, 'README.md has a sample of tokens-meta');
  const { model, dtype, shape, grid, ...others } = JSON.parse(sample) as AnswerMetadata;
  const [name] = embeddedNames;
  const served = await ensureEmbeddedModel(name, scratch.path);
  assert.deepEqual({ ...model, digest: '' }, { name, digest: '', trained: served.trained });
  const prefix = /^(sha256:[0-9a-f]{4,})\.\.\.$/.exec(model.digest)?.[1];
  assert.ok(prefix && served.digest.startsWith(prefix), `${model.digest} abbreviates ${served.digest}`);
  assert.deepEqual(
    { shape, grid },
    { shape: [grid.width * grid.height, served.channels], grid: served.grid },
  );
  assert.deepEqual(
    { features: others.features, precision: others.precision },
    { features: served.features, precision: served.precision },
  );
  const valueBytes = dtype === 'float32' ? 4 : 2;
  const lengths = [...page.matchAll(/^    content-length: (\d+)$/gm)].map(([, length]) => Number(length));
  assert.deepEqual(lengths, [shape.reduce((product, side) => product * side, valueBytes) + 128]);
});
