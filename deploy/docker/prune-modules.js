// Removes what npm has no way to leave out: ONNX Runtime's libraries for other platforms, 245 of 290 MB, and the source maps
// of Swagger UI, 8 of 12 MB.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { arch, argv, platform } from 'node:process';

const modules = argv[2] ?? 'node_modules';
const binaries = join(modules, 'onnxruntime-node/bin');
for (const napi of readdirSync(binaries)) {
  for (const system of readdirSync(join(binaries, napi))) {
    if (system !== platform) rmSync(join(binaries, napi, system), { recursive: true });
  }
  for (const processor of readdirSync(join(binaries, napi, platform))) {
    if (processor !== arch) rmSync(join(binaries, napi, platform, processor), { recursive: true });
  }
}

const swaggerUi = join(modules, 'swagger-ui-dist');
for (const file of readdirSync(swaggerUi)) {
  if (file.endsWith('.map')) rmSync(join(swaggerUi, file));
}
