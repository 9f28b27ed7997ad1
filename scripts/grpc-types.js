// The TypeScript types of the messages of a .proto file, as proto-loader-gen-types writes them for the options of
// src/transport/grpc/definition.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const generator = 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js';
const options = [
  '--longs=Number',
  '--enums=String',
  '--defaults',
  '--oneofs',
  '--includeDirs=proto',
  '--importFileExtension=.ts',
];

/** The text of each file of types by its name. `proto` is the .proto file's path in the folder proto. */
export function grpcTypes(root, proto) {
  const protoPackage = dirname(proto);
  const folder = mkdtempSync(join(tmpdir(), 'grpc-types-'));
  try {
    const args = [generator, ...options, `--outDir=${folder}`, proto];
    execFileSync(process.execPath, args, { cwd: root });
    const written = join(folder, protoPackage);
    // Nothing here uses the service's own type.
    const names = readdirSync(written).filter((name) => !name.endsWith('Service.ts'));
    return Object.fromEntries(
      names.map((name) => [name, adapted(readFileSync(join(written, name), 'utf8'), protoPackage)]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** All files in one folder, and arrays that may be readonly: writing a message changes none. */
function adapted(text, protoPackage) {
  return text
    .replaceAll(`'${'../'.repeat(protoPackage.split('/').length)}${protoPackage}/`, "'./")
    .replaceAll(/: (\([^()]*\)\[\];)/g, ': readonly $1');
}
