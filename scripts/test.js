// Runs every compiled *.test.js below build/test with node's own runner.
// Arguments: parts of file names, to run only those, e.g. `npm test -- batcher`; or, after a !, to leave those out. Options of
// `node --test` may follow, e.g. `npm test -- web --test-name-pattern='picked patch'`.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const given = process.argv.slice(2);
const end = given.findIndex((one) => one.startsWith('-'));
const parts = end < 0 ? given : given.slice(0, end);
const options = end < 0 ? [] : given.slice(end);
const wanted = parts.filter((part) => !part.startsWith('!'));
const unwanted = parts.filter((part) => part.startsWith('!')).map((part) => part.slice(1));
const files = readdirSync(join(root, 'build/test'), { recursive: true })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .filter((name) => !unwanted.some((part) => name.includes(part)))
  .map((name) => join(root, 'build/test', name))
  .toSorted();
if (files.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}
// This reporter names every failed test once more at the end, where a log that is cut short still has them.
const reporter = options.some((option) => option.startsWith('--test-reporter'))
  ? []
  : ['--test-reporter=spec'];
const child = spawn(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=600000', ...reporter, ...options, ...files],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
