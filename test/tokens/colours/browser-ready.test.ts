import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../../src/tokens/colours/', import.meta.url));

test('runs in a browser as well: its files import each other and nothing else', () => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8');
    const specifiers = [...text.matchAll(/(?:from|import\(|import) ?'([^']+)'/g)].map(([, name]) => name!);
    assert.deepEqual(
      specifiers.filter((name) => !/^\.\/[\w-]+\.ts$/.test(name)),
      [],
      file,
    );
    assert.doesNotMatch(text, /\b(?:process|Buffer|require)\b[.(]/, file);
  }
});
