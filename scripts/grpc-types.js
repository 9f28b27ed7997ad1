// The TypeScript types of a .proto file's messages, as proto-loader-gen-types writes them for the options of
// src/network/load-proto.ts: in one file, and only those that the sources import.
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

/** The text of the file of types. `proto` is the .proto file's path in the folder proto, `file` that of the types. */
export function grpcTypes(root, proto, file) {
  const types = typesByName(root, proto);
  const wanted = importsFrom(root, file.slice(file.lastIndexOf('/generated/')));
  // A set yields what is added to it while it is iterated: the types that a type refers to.
  for (const name of wanted) for (const word of types.get(name)?.match(/\w+/g) ?? []) wanted.add(word);
  const kept = [...types].filter(([name]) => wanted.has(name)).map(([, text]) => text);
  const head = [
    `// The types of proto/${proto} that the sources import, by scripts/grpc-types.js.`,
    '// To use another one, import it and run `node scripts/generate-docs.js`.',
    ...(wanted.has('Long') ? ["import type { Long } from '@grpc/proto-loader';"] : []),
  ];
  return `${head.join('\n')}\n\n${kept.join('\n\n')}\n`;
}

/** Each message has a type that is written and one, with __Output, that is read; each enum has both as well. */
function typesByName(root, proto) {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-types-'));
  try {
    const args = [generator, ...options, `--outDir=${folder}`, proto];
    execFileSync(process.execPath, args, { cwd: root });
    const written = join(folder, dirname(proto));
    const texts = readdirSync(written)
      .toSorted()
      .map((name) => readFileSync(join(written, name), 'utf8'));
    const types = texts
      .flatMap((text) => adapted(text, dirname(proto)).trim().split(/\n\n+/))
      .filter((part) => /^export (interface|type) /.test(part));
    return new Map(types.map((type) => [/^export \w+ (\w+)/.exec(type)[1], type]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Names without their package, arrays that may be readonly (writing a message changes none), and enums as types of their
 * names alone (the sources need no object of the names, and no numbers).
 */
function adapted(text, protoPackage) {
  return text
    .replaceAll(`_${protoPackage.replaceAll('/', '_')}_`, '')
    .replaceAll(/: (\([^()]*\)\[\];)/g, ': readonly $1')
    .replaceAll(/\n  \| \d+$/gm, '')
    .replaceAll(/typeof (\w+)\[keyof typeof \1\]/g, '$1');
}

/** The names that src, test and bench import from a file of types whose path ends with `end`. */
function importsFrom(root, end) {
  const files = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, name)),
  );
  const text = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('');
  const imports = [...text.matchAll(/import type \{([^}]+)\} from '([^']+)'/g)];
  const lists = imports.filter(([, , from]) => from.endsWith(end)).map(([, list]) => list);
  return new Set(lists.flatMap((list) => list.split(',').map((one) => one.trim().split(' ')[0])));
}
