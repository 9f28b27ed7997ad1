import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src/', import.meta.url));

/** The rooms of docs/architecture.md, ground first: each imports from itself and from those before it. */
const rooms = [
  'errors',
  'network',
  'threads',
  'open-inference',
  'admission',
  'recipes',
  'telemetry',
  'model',
  'tokens',
  'image',
  'inference',
  'encoding',
  'transport',
  'service.ts',
  'cli',
  'main.ts',
];

const roomOf = (file: string): number => rooms.indexOf(file.split('/')[0]!);

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

/** The files that a file imports, types included, as paths in src. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from |import\(|import )'(\.[^']+)'/g)].map(([, name]) => name!);
  return specifiers.map((name) => posix.join(posix.dirname(file), name));
}

test('every file of src lies in a room', () => {
  assert.deepEqual(
    files.filter((file) => roomOf(file) === -1),
    [],
  );
});

test('imports run one way: from a room to itself and to those below it', () => {
  const upward = files.flatMap((file) =>
    importsOf(file).flatMap((target) => (roomOf(target) > roomOf(file) ? [`${file} imports ${target}`] : [])),
  );
  assert.deepEqual(upward, []);
});

test('no imports form a circle, types included', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' > '));
    if (done.has(file) || way.includes(file)) return;
    for (const target of importsOf(file)) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});
