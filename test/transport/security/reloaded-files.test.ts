import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { ReloadedFiles } from '../../../src/transport/security/reloaded-files.ts';
import { handTicker, keptLog } from '../../support/hand-ticker.ts';
import { scratchFolder } from '../../support/tiny-models.ts';

/** Two files, `one` and `two`, whose contents are invalid when they contain "bad". */
async function twoFiles(t: TestContext) {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const [one, two] = [join(scratch.path, 'one'), join(scratch.path, 'two')];
  writeFileSync(one, '1');
  writeFileSync(two, '2');
  const taken: string[] = [];
  const { ticker, looks, look } = handTicker();
  const { logger, lines } = keptLog();
  const take = (contents: readonly Buffer[]): void => {
    const text = contents.map(String).join(' ');
    if (text.includes('bad')) throw new ServiceError('invalid_argument', 'It is bad.');
    taken.push(text);
  };
  const files = [
    { flag: '--one', path: one },
    { flag: '--two', path: two },
  ];
  const open = () => ReloadedFiles.open({ what: 'things', files, take }, logger, ticker);
  return { scratch: scratch.path, one, two, taken, looks, look, lines, open };
}

test('uses files at the start, and again once two looks have seen the same change', async (t) => {
  const { one, taken, look, lines, open } = await twoFiles(t);
  await open();
  await look(2);
  assert.deepEqual(taken, ['1 2']);
  writeFileSync(one, '3');
  await look();
  assert.deepEqual(taken, ['1 2']);
  await look(3);
  assert.deepEqual(taken, ['1 2', '3 2']);
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [['info', 'the things have been reloaded']],
  );
});

test('uses no file that is half written, and no half of a pair', async (t) => {
  const { one, two, taken, look, lines, open } = await twoFiles(t);
  await open();
  writeFileSync(one, '');
  await look();
  writeFileSync(one, '3');
  await look();
  writeFileSync(two, '4');
  await look(2);
  assert.deepEqual(taken, ['1 2', '3 4']);
  assert.equal(lines.length, 1);
});

test('notices a changed link above its files, as Kubernetes uses for a secret', async (t) => {
  const { scratch, one, two, taken, look, open } = await twoFiles(t);
  for (const [version, text] of [
    ['v1', 'old'],
    ['v2', 'new'],
  ] as const) {
    mkdirSync(join(scratch, version));
    for (const name of ['one', 'two']) writeFileSync(join(scratch, version, name), text);
  }
  symlinkSync('v1', join(scratch, '..data'));
  for (const [path, name] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    rmSync(path);
    symlinkSync(`..data/${name}`, path);
  }
  await open();
  symlinkSync('v2', join(scratch, '..data_tmp'));
  renameSync(join(scratch, '..data_tmp'), join(scratch, '..data'));
  rmSync(join(scratch, 'v1'), { recursive: true });
  await look(2);
  assert.deepEqual(taken, ['old old', 'new new']);
});

test('keeps the old contents and logs it once when the files are invalid or gone', async (t) => {
  const { one, taken, look, lines, open } = await twoFiles(t);
  await open();
  writeFileSync(one, 'bad');
  await look(5);
  rmSync(one);
  await look(5);
  assert.deepEqual(taken, ['1 2']);
  const message = 'the things could not be reloaded; the old ones stay in use';
  assert.deepEqual(lines, [
    { level: 'error', fields: { detail: 'It is bad.' }, message },
    {
      level: 'error',
      fields: { detail: `--one ${one} cannot be read: no such file or directory.` },
      message,
    },
  ]);
  writeFileSync(one, '5');
  await look(2);
  assert.deepEqual(taken, ['1 2', '5 2']);
});

test('refuses to start with unreadable or invalid files, and does not look at them again', async (t) => {
  const { one, two, looks, open } = await twoFiles(t);
  writeFileSync(one, 'bad');
  await assert.rejects(open(), { code: 'invalid_argument', message: 'It is bad.' });
  rmSync(two);
  const message = `--two ${two} cannot be read: no such file or directory.`;
  await assert.rejects(open(), { code: 'invalid_argument', message });
  assert.equal(looks.size, 0);
});

test('stops looking when it is closed', async (t) => {
  const { looks, open } = await twoFiles(t);
  const fileSet = await open();
  assert.equal(looks.size, 1);
  fileSet.close();
  assert.equal(looks.size, 0);
});
