// Removes ONNX Runtime's libraries for other platforms, which npm has no way to leave out: 245 of 290 MB.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { arch, argv, platform } from 'node:process';

const binaries = join(argv[2] ?? 'node_modules', 'onnxruntime-node/bin');
for (const napi of readdirSync(binaries)) {
  for (const system of readdirSync(join(binaries, napi))) {
    if (system !== platform) rmSync(join(binaries, napi, system), { recursive: true });
  }
  for (const processor of readdirSync(join(binaries, napi, platform))) {
    if (processor !== arch) rmSync(join(binaries, napi, platform, processor), { recursive: true });
  }
}
