import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { OutputNames } from '../../../src/cli/encode/output-names.ts';

test('names outputs after their inputs, below the same folders', () => {
  const names = new OutputNames({ extensions: ['.npy'] });
  assert.equal(names.claim('in/a/b.jpg', 'a/b.jpg'), 'a/b');
  assert.equal(names.claim('in/a/b.v2.jpg', 'a/b.v2.jpg'), 'a/b.v2');
  assert.equal(names.claim('in/a/plain', 'a/plain'), 'a/plain');
});

test('gives the second of two files with one name its extension, and the third a hash of its path', () => {
  const names = new OutputNames({ extensions: ['.npy'] });
  assert.equal(names.claim('x/b.jpg', 'b.jpg'), 'b');
  assert.equal(names.claim('x/B.png', 'B.png'), 'B-png', 'some file systems do not tell b and B apart');
  assert.equal(names.claim('y/b.png', 'b.png'), 'b-ab662387');
  assert.equal(names.claim('z/b', 'b').length, 'b-'.length + 8);
});

test('gives no file the name of a folder, and no folder the name of a file', () => {
  const names = new OutputNames({ extensions: ['.npy'], files: ['manifest.jsonl'] });
  assert.equal(names.claim('a.npy/b.jpg', 'a.npy/b.jpg'), 'a.npy/b');
  assert.equal(names.claim('A.jpg', 'A.jpg'), 'A-jpg');
  assert.equal(names.claim('c.jpg', 'c.jpg'), 'c');
  const folder = names.claim('c.npy/d.jpg', 'c.npy/d.jpg').replace(/\/d$/, '');
  assert.match(folder, /^c\.npy-[0-9a-f]{8}$/);
  assert.equal(names.claim('c.npy/e.jpg', 'c.npy/e.jpg'), `${folder}/e`, 'a folder stays together');
  assert.match(
    names.claim('manifest.jsonl/f.jpg', 'manifest.jsonl/f.jpg'),
    /^manifest\.jsonl-[0-9a-f]{8}\/f$/,
  );
});

test('cuts no key of webdataset short: their last part has no dots', () => {
  const names = new OutputNames({ extensions: ['.npy', '.json'], dotless: true });
  assert.equal(names.claim('a.b/c.d.jpg', 'a.b/c.d.jpg'), 'a.b/c_d');
});

test('stays inside the folder, fits a file system and gives no name twice, whatever members of a tar are called', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'a.npy',
      'A.npy.jpg',
      'manifest.jsonl',
      '..',
      '.',
      '',
      '/',
      '\\',
      '..\\..',
      'a',
      'A',
      '\0',
      '\u001b[2J',
    ),
    fc.string(),
  );
  const paths = fc.uniqueArray(
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('/')),
    { maxLength: 8 },
  );
  const long = fc.string({ minLength: 250, maxLength: 400, unit: 'grapheme' });
  fc.assert(
    fc.property(paths, long, fc.boolean(), (some, tail, dotless) => {
      const names = new OutputNames({ extensions: ['.npy'], files: ['manifest.jsonl'], dotless });
      const given = [...some, tail, `${tail}.jpg`].map((path, index) => names.claim(`${index}`, path));
      assert.equal(new Set(given.map((name) => name.toLowerCase())).size, given.length);
      const outputs = [...given.map((name) => `${name}.npy`.toLowerCase()), 'manifest.jsonl'];
      for (const output of outputs) {
        assert.ok(
          !outputs.some((other) => other.startsWith(`${output}/`)),
          `${output} is a file and a folder`,
        );
      }
      for (const name of given) {
        assert.ok(!posix.isAbsolute(name), name);
        assert.equal(posix.join('/out', name).startsWith('/out/'), true, name);
        assert.ok(
          name.split('/').every((each) => !['', '.', '..'].includes(each)),
          name,
        );
        assert.ok(
          name.split('/').every((each) => Buffer.byteLength(`${each}.safetensors.part`) <= 255),
          name,
        );
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(name, /[\u0000-\u001f\u007f\\]/);
      }
    }),
  );
});
