import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The rooms of each tree, ground first: each imports from itself and from those before it. docs/architecture.md has those of src. */
const trees: Readonly<Record<string, readonly string[]>> = {
  src: [
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
  ],
  web: ['service', 'geometry', 'picture', 'arithmetic', 'state', 'view', 'main.tsx'],
};

/** What the page takes of src: what runs in a browser too. */
const browserRooms: ReadonlySet<string> = new Set(['recipes', 'tokens']);

/** The files that a file imports, types included, as paths in its tree; those of another tree begin with `../`. */
function importsOf(tree: string, file: string): string[] {
  const text = readFileSync(join(root, tree, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from |import\(|import )'(\.[^']+)'/g)].map(([, name]) => name!);
  return specifiers.map((name) => posix.join(posix.dirname(file), name));
}

function filesOf(tree: string): string[] {
  const names = readdirSync(join(root, tree), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.tsx?$/.test(name) && name !== 'vite.config.ts');
}

for (const [tree, rooms] of Object.entries(trees)) {
  const files = filesOf(tree);
  const roomOf = (file: string): number => rooms.indexOf(file.split('/')[0]!);

  test(`every file of ${tree} lies in a room`, () => {
    assert.deepEqual(
      files.filter((file) => roomOf(file) === -1),
      [],
    );
  });

  test(`imports of ${tree} run one way: from a room to itself and to those below it`, () => {
    const upward = files.flatMap((file) =>
      importsOf(tree, file).flatMap((target) =>
        roomOf(target) > roomOf(file) ? [`${file} imports ${target}`] : [],
      ),
    );
    assert.deepEqual(upward, []);
  });

  test(`no imports of ${tree} form a circle, types included`, () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' > '));
      if (done.has(file) || way.includes(file) || file.startsWith('../')) return;
      for (const target of importsOf(tree, file)) if (/\.tsx?$/.test(target)) visit(target, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    assert.deepEqual(circles, []);
  });
}

test('the page takes from src only what runs in a browser', () => {
  const others = filesOf('web').flatMap((file) =>
    importsOf('web', file).filter((target) => {
      const [, tree, room = ''] = /^\.\.\/(\w+)\/([^/]+)/.exec(target) ?? [];
      return tree !== undefined && !(tree === 'src' && browserRooms.has(room));
    }),
  );
  assert.deepEqual(others, []);
});
