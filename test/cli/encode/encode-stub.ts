import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type EncodeParts, encodeFiles } from '../../../src/cli/encode/encode.ts';
import { encodeCommand } from '../../../src/cli/settings/encode.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import type { EncoderConfig } from '../../../src/encoding/encoder-config.ts';
import type { EncodeAnswer, EncodeRequest, PlanRequest } from '../../../src/encoding/request.ts';
import type { AnswerMetadata } from '../../../src/tokens/answer-metadata.ts';
import { dtypeBytes } from '../../../src/tokens/tensor.ts';
import { madeUp } from '../../support/answer-origin.ts';
import { fakeTerminal } from '../fake-terminal.ts';

const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };

export function settingsOf(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const parsed = parseCommand(encodeCommand, { args: ['x', ...args], env, machine });
  assert.equal(parsed.kind, 'run', JSON.stringify(parsed));
  return parsed.settings;
}

function metadataOf({ recipe, options }: Pick<EncodeRequest, 'recipe' | 'options'>): AnswerMetadata {
  const output = options.output ?? 'features';
  return {
    model: { name: 'stub', digest: 'sha256:0', trained: false },
    recipe: recipe.recipe,
    output,
    features: 'last_hidden_state',
    ...(output === 'embeddings' ? { projector: { family: 'stub', digest: 'sha256:1' } } : {}),
    precision: 'fp32',
    dtype: options.dtype,
    shape: [2, 1],
    grid: { width: 1, height: 2 },
    views: 1,
    images: [{ width: 1, height: 1 }],
  };
}

/** The models of a teacher's scales. The digest of each that is named is its folder. */
function teacherOf(
  recipe: PlanRequest['recipe'],
  { models }: EncoderConfig,
): Pick<AnswerMetadata, 'teacher'> {
  if (recipe.recipe !== 'teacher') return {};
  const { fusion, windows } = recipe;
  const named = models.map(({ folder }) => ({ name: folder, digest: `sha256:${folder}` }));
  return { teacher: { scales: [512, 1024], weights: [], fusion, windows, models: named } };
}

/** Two tokens of one channel: the image's first byte, and 7. An image that starts with 0 fails. */
export async function firstByte(request: EncodeRequest): Promise<EncodeAnswer> {
  const { images, options } = request;
  const [image] = images;
  assert.equal(image?.kind, 'file');
  const [byte = 0] = image.bytes;
  if (byte === 0) throw new ServiceError('invalid_argument', 'This is not an image.');
  const values = [byte, 7].map((value) => new Uint8Array(dtypeBytes[options.dtype]).fill(value));
  return {
    tensor: { shape: [2, 1], dtype: options.dtype, parts: values },
    metadata: metadataOf(request),
    timings: { decodeMs: 0, viewsMs: 0, queueMs: 0, engineMs: 0 },
    ...madeUp,
  };
}

/** The command's parts with an encoder that is made up, and what was asked of it. */
export function stubParts(encode = firstByte) {
  const seen = { encoded: 0, closed: 0, configs: [] as EncoderConfig[], requests: [] as EncodeRequest[] };
  const parts: EncodeParts = {
    requireProjector: async () => {},
    createEncoder: async (config) => {
      seen.configs.push(config);
      return {
        plan: ({ recipe, options }: PlanRequest) => ({
          metadata: { ...metadataOf({ recipe, options }), ...teacherOf(recipe, config) },
          tokens: 2,
          sizeBytes: 4,
        }),
        async encode(request) {
          seen.requests.push(request);
          const answer = await encode(request);
          seen.encoded += 1;
          return answer;
        },
        close: async () => {
          seen.closed += 1;
        },
      };
    },
    env: {},
    readStdin: async () => assert.fail('stdin was read'),
    wait: async () => undefined,
    logger: pino({ level: 'silent' }),
  };
  return { parts, seen };
}

/** A folder with these files, and the paths below it. */
export async function folderWith(
  context: TestContext,
  files: Record<string, readonly number[] | Uint8Array>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'encode-test-'));
  context.after(() => rm(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(at(name)), { recursive: true });
    await writeFile(at(name), Uint8Array.from(bytes));
  }
  return at;
}

/** Runs the command with an encoder that is made up. */
export async function encodeWith(
  operands: readonly string[],
  flags: readonly string[],
  { parts, seen } = stubParts(),
  stdin?: string,
) {
  const { terminal, stdout, stderr, interrupt } = fakeTerminal();
  const given = stdin === undefined ? parts : { ...parts, readStdin: async () => stdin };
  const run = encodeFiles(operands, settingsOf(flags), terminal, given);
  const exitCode = await run.catch((error: unknown) => error);
  return { exitCode, stdout: stdout.text, stderr: stderr.text, seen, interrupt };
}

export interface Line {
  readonly file: string;
  readonly output?: string;
  readonly output_bytes?: number;
  readonly error?: { readonly code: string; readonly detail: string };
  readonly [field: string]: unknown;
}

export async function manifestOf(folder: string): Promise<readonly Line[]> {
  const text = await readFile(join(folder, 'manifest.jsonl'), 'utf8');
  assert.match(text, /^(?:.+\n)*$/, 'whole lines');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}
