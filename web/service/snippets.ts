import { type Choice, queryOf, recipePaths } from './choice.ts';
import { type Recipe, recipes } from './metadata.ts';
import type { RequestOption } from './option.ts';

/** The request of a panel, as others write it. */
export interface SnippetRequest {
  readonly choice: Choice;
  /** The address of the API. */
  readonly base: URL;
  /** The service's gRPC port, if the page knows it. */
  readonly grpcPort: number | undefined;
  /** The name of the image's file. */
  readonly file: string;
  /** Where the service has that file; undefined for one of the user's. */
  readonly sampleUrl: string | undefined;
  readonly hasKey: boolean;
  /** The options of each recipe. */
  readonly options: Readonly<Record<Recipe, readonly RequestOption[]>>;
  /** Whether the model gives embeddings, which parts for vLLM are made of. */
  readonly hasProjector: boolean;
}

export const snippetKinds = ['curl', 'Python', 'gRPC', 'vLLM'] as const;
export type SnippetKind = (typeof snippetKinds)[number];

/** The same request outside the page. */
export interface Snippet {
  /** Runs as it is, once pasted: it has no comments, because some interactive shells do not accept them. Undefined where there is no such request. */
  readonly code: string | undefined;
  /** What to know beside it. */
  readonly notes: readonly string[];
}

export function snippetOf(kind: SnippetKind, request: SnippetRequest): Snippet {
  const keyNotes = request.hasKey ? ['Set the environment variable KEY to your API key first.'] : [];
  switch (kind) {
    case 'curl':
      return { code: curl(request, {}, 'tokens.npy'), notes: keyNotes };
    case 'Python':
      return {
        code: python(request),
        notes: [
          ...keyNotes,
          "It needs the Python client: pip install ./clients/python in the service's repository.",
        ],
      };
    case 'gRPC':
      return { code: grpcurl(request), notes: [...keyNotes, grpcNote(request)] };
    case 'vLLM':
      return vllm(request, keyNotes);
  }
}

/** Fetches a sample, which the user does not have. */
function fetchSample({ file, sampleUrl }: SnippetRequest): string {
  return sampleUrl === undefined ? '' : `curl -sSf -o ${quoted(file)} ${quoted(sampleUrl)}\n`;
}

function curl(request: SnippetRequest, more: Readonly<Record<string, string>>, out: string): string {
  const { choice, base, file, hasKey } = request;
  const url = new URL(recipePaths[choice.recipe], base);
  for (const [name, value] of Object.entries({ ...queryOf(choice), ...more }))
    url.searchParams.set(name, value);
  const key = hasKey ? ' -H "authorization: Bearer $KEY"' : '';
  return `${fetchSample(request)}curl --fail-with-body${key} \\\n  --data-binary ${quoted(`@${file}`)} \\\n  ${quoted(url.href)} -o ${out}`;
}

function vllm(request: SnippetRequest, keyNotes: readonly string[]): Snippet {
  if (!request.hasProjector) {
    const note =
      'This model has no projector, so it has no embeddings for a language model. Import a whole VLM checkpoint, or one with --projector.';
    return { code: undefined, notes: [note] };
  }
  return {
    code: curl(request, { output: 'embeddings', format: 'vllm' }, 'part.json'),
    notes: [...keyNotes, 'part.json goes into the content of a chat message, beside the text.'],
  };
}

const methods = { encode: 'encode', teacher: 'teacher_encode', anyres: 'anyres_encode' } as const;

function python({ choice, base, file, sampleUrl, hasKey }: SnippetRequest): string {
  const named = Object.entries(queryOf(choice)).map(
    ([name, value]) => `, ${name}=${pythonValue(name, value)}`,
  );
  const key = hasKey ? ', api_key=os.environ["KEY"]' : '';
  const address = JSON.stringify(base.href.replace(/\/$/, ''));
  return [
    ...(hasKey ? ['import os'] : []),
    ...(sampleUrl === undefined ? [] : ['from urllib.request import urlretrieve']),
    ...(hasKey || sampleUrl !== undefined ? [''] : []),
    'from siglip_hd_client import Client',
    '',
    ...(sampleUrl === undefined
      ? []
      : [`urlretrieve(${JSON.stringify(sampleUrl)}, ${JSON.stringify(file)})`]),
    `with Client(${address}${key}) as client:`,
    `    tokens = client.${methods[choice.recipe]}(${JSON.stringify(file)}${named.join('')})`,
    '    print(tokens.shape, tokens.numpy().dtype)',
  ].join('\n');
}

/** Options that take several numbers. */
const lists: ReadonlySet<string> = new Set(['scales', 'weights']);

function pythonValue(name: string, value: string): string {
  if (name === 'class_token') return value === 'true' ? 'True' : 'False';
  if (name === 'features')
    return `(${value
      .split(',')
      .map((one) => `${JSON.stringify(one)}, `)
      .join('')
      .trim()})`;
  if (lists.has(name)) return `(${value.split(',').join(', ')},)`;
  if (/^\d+x\d+$/.test(value)) return `(${value.replace('x', ', ')})`;
  return /^\d+$/.test(value) && name !== 'model' ? value : JSON.stringify(value);
}

const calls = { encode: 'Encode', teacher: 'TeacherEncode', anyres: 'AnyResEncode' } as const;

/** grpcurl reads the message from stdin, where the file's base64 fits. */
function grpcurl(request: SnippetRequest): string {
  const { choice, base, grpcPort, file, hasKey, options } = request;
  const given = Object.entries(queryOf(choice)).map(([name, value]) => {
    const isEnum = options[choice.recipe].some((one) => one.name === name && one.values !== undefined);
    return [name, grpcValue(name, value, isEnum)] as const;
  });
  // The options of every recipe are in a message of their own.
  const isCommon = (name: string): boolean =>
    name === 'model' || recipes.every((recipe) => options[recipe].some((one) => one.name === name));
  const shared = Object.fromEntries(given.filter(([name]) => isCommon(name)));
  const own = Object.fromEntries(given.filter(([name]) => !isCommon(name)));
  const rest = JSON.stringify({
    ...(Object.keys(shared).length === 0 ? {} : { options: shared }),
    ...(Object.keys(own).length === 0 ? {} : { [choice.recipe]: own }),
  }).slice(1);
  const more = quoted(rest === '}' ? rest : `,${rest}`);
  const plain = base.protocol === 'https:' ? '' : ' -plaintext';
  const key = hasKey ? ' -H "authorization: Bearer $KEY"' : '';
  return [
    `${fetchSample(request)}printf '{"image":{"file":"%s"}%s' "$(base64 < ${quoted(file)} | tr -d '\\n')" ${more} |`,
    `  grpcurl${plain}${key} -max-msg-sz 67108864 -d @ ${base.hostname}:${grpcPort ?? 50_051} \\`,
    `  siglip_hd.v1.VisualEncoderService/${calls[choice.recipe]}`,
  ].join('\n');
}

function grpcNote({ grpcPort }: SnippetRequest): string {
  return grpcPort === undefined
    ? "50051 is the gRPC port unless the service's --grpc-port says otherwise."
    : `${grpcPort} is the service's own gRPC port; a proxy may have another.`;
}

function grpcValue(name: string, value: string, isEnum: boolean): unknown {
  if (name === 'class_token') return value === 'true';
  if (name === 'features') return value.split(',');
  if (isEnum) return `${name}_${value}`.toUpperCase();
  if (lists.has(name)) return value.split(',').map(Number);
  const [, first, second] = /^(\d+)x(\d+)$/.exec(value) ?? [];
  if (first !== undefined) {
    const sides = name === 'max_grid' ? ['columns', 'rows'] : ['width', 'height'];
    return { [sides[0]!]: Number(first), [sides[1]!]: Number(second) };
  }
  return /^\d+$/.test(value) && name !== 'model' ? Number(value) : value;
}

/** A word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
