// The TypeScript types of encoder.proto's messages, as proto-loader-gen-types writes them for the options of
// src/transport/grpc/definition.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const generator = 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js';
const protoPackage = 'siglip_hd/v1';
const options = [
  '--longs=Number',
  '--enums=String',
  '--defaults',
  '--oneofs',
  '--includeDirs=proto',
  '--importFileExtension=.ts',
];

/** Each file's text by its name. */
export function grpcTypes(root) {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-types-'));
  try {
    const args = [generator, ...options, `--outDir=${folder}`, `${protoPackage}/encoder.proto`];
    execFileSync(process.execPath, args, { cwd: root });
    const written = join(folder, protoPackage);
    // Nothing here uses the service's own type.
    const names = readdirSync(written).filter((name) => !name.endsWith('Service.ts'));
    return Object.fromEntries(
      names.map((name) => [name, adapted(readFileSync(join(written, name), 'utf8'))]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** All files in one folder, and arrays that may be readonly: writing a message changes none. */
function adapted(text) {
  return text
    .replaceAll(`'../../${protoPackage}/`, "'./")
    .replaceAll(/: (\([^()]*\)\[\];)/g, ': readonly $1');
}
