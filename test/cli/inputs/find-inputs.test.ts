import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findInputs } from '../../../src/cli/inputs/find-inputs.ts';
import { folderWith } from '../encode/encode-stub.ts';

async function pictures(context: TestContext) {
  const names = [
    'b.jpg',
    'a.JPEG',
    'sub/c.png',
    'sub/d.txt',
    'sub/deep/e.webp',
    'sub/f.tar',
    '.hidden.jpg',
    '.git/g.jpg',
  ];
  return await folderWith(context, Object.fromEntries(names.map((name) => [name, [1]])));
}

const noStdin = async () => assert.fail('stdin was read');

test('finds the images and tars of a folder and all below it, in the order of their names', async (context) => {
  const at = await pictures(context);
  const { found, failures } = await findInputs([at('.')], noStdin, at('out'));
  assert.deepEqual(failures, []);
  assert.deepEqual(
    found.map(({ kind, path, relativePath }) => [kind, path, relativePath]),
    [
      ['file', at('a.JPEG'), 'a.JPEG'],
      ['file', at('b.jpg'), 'b.jpg'],
      ['file', at('sub/c.png'), 'sub/c.png'],
      ['file', at('sub/deep/e.webp'), 'sub/deep/e.webp'],
      ['tar', at('sub/f.tar'), 'sub/f.tar'],
    ],
  );
});

test('finds the images of a folder whatever characters their names have', async (context) => {
  const names = [
    'line\nbreak.jpg',
    'separator\u2028.jpg',
    'back\\slash.jpg',
    'space .jpg',
    ' lead.jpg',
    'sub /x.png',
    'n\new/[1]{2}!.gif',
  ];
  const at = await folderWith(context, Object.fromEntries(names.map((name) => [name, [1]])));
  const { found, failures } = await findInputs([at('.')], noStdin, at('out'));
  assert.deepEqual(failures, []);
  assert.deepEqual(
    found.map(({ path, relativePath }) => [path, relativePath]),
    names.toSorted().map((name) => [at(name), name]),
  );
});

test('leaves out the folder that it writes to', async (context) => {
  const at = await pictures(context);
  const { found } = await findInputs([at('.')], noStdin, at('sub'));
  assert.deepEqual(
    found.map(({ relativePath }) => relativePath),
    ['a.JPEG', 'b.jpg'],
  );
});

test('finds what a pattern matches, and names outputs from its first wildcard on', async (context) => {
  const at = await pictures(context);
  const of = async (pattern: string) =>
    (await findInputs([at(pattern)], noStdin, at('out'))).found.map(({ relativePath }) => relativePath);
  assert.deepEqual(await of('**/*.{jpg,png}'), ['b.jpg', 'sub/c.png']);
  assert.deepEqual(await of('sub/*/*.webp'), ['deep/e.webp']);
  assert.deepEqual(await of('[ab].*'), ['a.JPEG', 'b.jpg']);
});

test('takes slashes in braces, and folders whose special characters are escaped', async (context) => {
  const at = await folderWith(context, {
    '2023/jan/a.jpg': [1],
    '2024/feb/b.jpg': [1],
    'dir [1]/c.jpg': [1],
    'dir 1/d.jpg': [1],
  });
  const of = async (pattern: string) => {
    const { found, failures } = await findInputs([at(pattern)], noStdin, at('out'));
    assert.deepEqual(failures, []);
    return found.map(({ path, relativePath }) => [path, relativePath]);
  };
  assert.deepEqual(await of('{2023/jan,2024/feb}/*.jpg'), [
    [at('2023/jan/a.jpg'), '2023/jan/a.jpg'],
    [at('2024/feb/b.jpg'), '2024/feb/b.jpg'],
  ]);
  assert.deepEqual(await of('@(2023/jan|2025)/*.jpg'), [[at('2023/jan/a.jpg'), '2023/jan/a.jpg']]);
  assert.deepEqual(await of('dir \\[1\\]/*.jpg'), [[at('dir [1]/c.jpg'), 'c.jpg']]);
});

test('says so when a pattern matches nothing, and takes a file of that very name', async (context) => {
  const at = await folderWith(context, { 'what[1].jpg': [1] });
  await assert.rejects(findInputs([at('*.png')], noStdin, at('out')), {
    code: 'invalid_argument',
    message: `${at('*.png')}: no file matches this pattern.`,
  });
  const { found } = await findInputs([at('what[1].jpg')], noStdin, at('out'));
  assert.deepEqual(found, [{ kind: 'file', path: at('what[1].jpg'), relativePath: 'what[1].jpg' }]);
});

test('names each missing file once when nothing that was named is there, in arguments or on stdin', async (context) => {
  const at = await folderWith(context, {});
  const message = `${at('nope.jpg')}: no such file or directory.`;
  const twice = [at('nope.jpg'), at('./nope.jpg'), at('nope.jpg')];
  await assert.rejects(findInputs(twice, noStdin, at('out')), { code: 'invalid_argument', message });
  await assert.rejects(
    findInputs(['-'], async () => twice.join('\n'), at('out')),
    { code: 'invalid_argument', message },
  );
});

test('refuses a folder without images, rather than encode nothing', async (context) => {
  const at = await folderWith(context, { 'a.txt': [1], 'out/b.jpg': [1] });
  await assert.rejects(findInputs([at('.')], noStdin, at('out')), {
    code: 'invalid_argument',
    message:
      /^There are no images in .+: no file ends in \.jpg, .+ \.avif or \.tar\. Files in .+out are ignored\.$/,
  });
  await assert.rejects(
    findInputs(['-'], async () => '\r\n', at('out')),
    { message: 'stdin lists no files.' },
  );
});

test('says once that a pattern has no match, even where its folder is missing', async (context) => {
  const at = await pictures(context);
  for (const pattern of [at('nowhere/*.jpg'), at('sub/*.gif')]) {
    const { failures } = await findInputs([pattern, at('sub')], noStdin, at('out'));
    assert.deepEqual(failures, [{ file: pattern, problem: 'no file matches this pattern.' }]);
  }
});

test('takes each file once, however it is given', async (context) => {
  const at = await pictures(context);
  const operands = [at('b.jpg'), at('./sub/../b.jpg'), at('.'), at('*.jpg'), '-'];
  const { found } = await findInputs(operands, async () => `${at('b.jpg')}\n`, at('out'));
  assert.equal(found.filter(({ path }) => path === at('b.jpg')).length, 1);
});

test('follows links to folders, and visits each folder once, by its own name', async (context) => {
  const at = await folderWith(context, { 'in/a.jpg': [1], 'in/z/b.jpg': [2], 'elsewhere/c.jpg': [3] });
  await symlink(at('in/z'), at('in/another-z'));
  await symlink(at('in'), at('in/self'));
  await symlink(at('elsewhere'), at('in/linked'));
  const { found } = await findInputs([at('in')], noStdin, at('out'));
  assert.deepEqual(
    found.map(({ relativePath }) => relativePath),
    ['a.jpg', 'linked/c.jpg', 'z/b.jpg'],
  );
});

test('takes a link to a file as an image of its own, by whatever operands it is found', async (context) => {
  const at = await folderWith(context, { 'pool/1.jpg': [1], 'pool/2.jpg': [2] });
  await mkdir(at('cats'));
  await symlink('../pool/1.jpg', at('cats/1.jpg'));
  await symlink(at('pool/1.jpg'), at('cats/same.jpg'));
  const of = async (...operands: string[]) => {
    const { found } = await findInputs(operands, noStdin, at('out'));
    return found.map(({ path }) => relative(at('.'), resolve(path))).toSorted();
  };
  const all = ['cats/1.jpg', 'cats/same.jpg', 'pool/1.jpg', 'pool/2.jpg'];
  assert.deepEqual(await of(at('.')), all);
  assert.deepEqual(await of(at('cats'), at('pool')), all);
  assert.deepEqual(await of(at('cats/1.jpg'), at('.'), relative(process.cwd(), at('cats/1.jpg'))), all);
  assert.deepEqual(await of(at('*/*.jpg')), all);
  assert.deepEqual(await of(at('pool/1.jpg'), at('cats/1.jpg')), ['cats/1.jpg', 'pool/1.jpg']);
});

test('names folders that cannot be read, and compressed tars', async (context) => {
  const at = await pictures(context);
  await writeFile(at('x.tar.gz'), '');
  const { failures } = await findInputs([at('x.tar.gz'), at('sub')], noStdin, at('out'));
  assert.deepEqual(failures, [{ file: at('x.tar.gz'), problem: 'it is compressed; unpack it.' }]);
  if (process.getuid?.() === 0) return;
  await chmod(at('sub/deep'), 0);
  context.after(() => chmod(at('sub/deep'), 0o700));
  const denied = await findInputs([at('.')], noStdin, at('out'));
  assert.deepEqual(denied.failures, [{ file: at('sub/deep'), problem: 'permission denied.' }]);
});
