// Compiles src, test and bench with tsc, the AssemblyScript kernels with asc, and the playground with Vite, into build/.
// Recompiles a kernel only if its source, or a part of it in the folder of its name, is newer than its output, and the playground
// only if a file of web or of src is newer. Deletes outputs that have no source any more.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

if (!existsSync(join(root, 'node_modules/typescript'))) {
  process.stderr.write(`The dependencies are not installed: run npm ci in ${root}.\n`);
  process.exit(1);
}
if (!existsSync(join(root, 'build/.tsbuildinfo'))) {
  process.stderr.write('Compiling the sources, once; this takes about half a minute.\n');
}

function run(command, args) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', command), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** When a kernel's source, or one of its parts, was last changed. */
function newest(source) {
  const parts = source.replace(/\.ts$/, '');
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  return Math.max(...[source, ...files].map((file) => statSync(file).mtimeMs));
}

for (const folder of ['src/image/kernels', 'src/tokens/kernels']) {
  if (!existsSync(join(root, folder))) continue;
  for (const file of readdirSync(join(root, folder)).filter((name) => name.endsWith('.ts'))) {
    const source = join(root, folder, file);
    const output = join(root, 'build', folder, file.replace(/\.ts$/, '.wasm'));
    if (existsSync(output) && statSync(output).mtimeMs > newest(source)) continue;
    mkdirSync(dirname(output), { recursive: true });
    run('assemblyscript/bin/asc.js', [
      source,
      '-o',
      output,
      '-O3',
      '--noAssert',
      '--enable',
      'simd',
      '--runtime',
      'stub',
      '--initialMemory',
      '1',
    ]);
  }
}
run('typescript/bin/tsc', ['--project', 'tsconfig.json']);
buildPlayground();

/** Checks and bundles web, which also takes parts of src. */
function buildPlayground() {
  const page = join(root, 'build/web/index.html');
  const sources = ['web', 'src'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, name)),
  );
  const changedMs = Math.max(
    ...[...sources, join(root, 'package-lock.json')].map((file) => statSync(file).mtimeMs),
  );
  if (existsSync(page) && statSync(page).mtimeMs > changedMs) return;
  run('typescript/bin/tsc', ['--project', 'web/tsconfig.json']);
  run('vite/bin/vite.js', ['build', 'web', '--logLevel', 'warn']);
}

for (const output of readdirSync(join(root, 'build'), { recursive: true })) {
  if (output.startsWith('web')) continue;
  const source = join(root, output.replace(/\.(js|js\.map|wasm)$/, '.ts'));
  if (source === join(root, output)) continue;
  if (!existsSync(source)) rmSync(join(root, 'build', output));
}
