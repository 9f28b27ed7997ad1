import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import sharp from 'sharp';
import { float32Values } from '../../../src/tokens/compare-tokens.ts';
import { encoderConfig } from '../../../src/cli/compare/comparing-encoder.ts';
import { resizeTokens } from '../../../src/cli/compare/resize-tokens.ts';
import { compareCommand } from '../../../src/cli/settings/compare.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import type { Size } from '../../../src/recipes/plan.ts';
import { TokenColours } from '../../../src/tokens/colours/token-colours.ts';
import type { TokenSet } from '../../../src/tokens/colours/token-set.ts';
import { importFixture, scratchFolder } from '../../support/tiny-models.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { compare, realParts } from './run-compare.ts';

const image = (name: string) => join('test/fixtures/images', name);
const scratch = scratchFolder();
const models = { tiny: '', tiny27: '', clip: '', crop: '' };

before(async () => {
  models.tiny = await importFixture(scratch.path, 'siglip-tiny');
  models.tiny27 = await importFixture(scratch.path, 'siglip-tiny-27');
  models.clip = await importFixture(scratch.path, 'clip-tiny', { resize: 'squash' });
  models.crop = await importFixture(scratch.path, 'clip-tiny');
});
after(() => scratch.remove());

interface EncodersJson {
  readonly encoders: readonly {
    readonly label: string;
    readonly name: string;
    readonly views: number;
    readonly grid: Size;
    readonly channels: number;
    readonly msPerView: number;
  }[];
  readonly images: readonly { readonly file: string; readonly size: Size }[];
  readonly grid: Size;
  readonly tokens?: number;
  readonly chance?: number;
  readonly pairs?: readonly {
    readonly a: string;
    readonly b: string;
    readonly agreement: number;
    readonly cka: number;
    readonly biasedCka: number;
  }[];
  readonly sheet?: string;
  readonly failures: readonly { readonly file: string }[];
}

const asModels = (...folders: string[]) => folders.flatMap((folder) => ['--model', folder]);

async function compareJson(...args: string[]) {
  const { stdout, ...rest } = await compare([...args, '--json']);
  return { ...rest, report: JSON.parse(stdout) as EncodersJson };
}

/** The tokens of an image, at a grid or else the model's own, by the encoder alone. */
async function tokensOf(folder: string, file: string, side?: number): Promise<TokenSet> {
  const config = encoderConfig([{ folder }], { device: { kind: 'cpu' }, threads: 1, maxPixels: 1e8 });
  const encoder = await realParts.createEncoder(config, pino({ level: 'silent' }));
  try {
    const { tensor } = await encoder.encode({
      images: [{ kind: 'file', bytes: await readFile(file) }],
      stacked: false,
      recipe: { recipe: 'encode' },
      options: { dtype: 'float32', exif: 'apply' },
      signal: new AbortController().signal,
    });
    const { channels, grid } = encoder.models()[0]!;
    const to = side === undefined ? grid : { width: side, height: side };
    const data = resizeTokens(float32Values(tensor), channels, grid, to);
    return { data, count: data.length / channels, channels };
  } finally {
    await encoder.close();
  }
}

const rowsOf = ({ data, count, channels }: TokenSet) =>
  Array.from({ length: count }, (_, token) =>
    Float64Array.from(data.subarray(token * channels, (token + 1) * channels)),
  );

const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

/** Huh et al., by definition. */
function plainAgreement(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  const nearest = (tokens: readonly Float64Array[]) =>
    tokens.map((token, self) => {
      const cosines = tokens.map(
        (other) => dot(token, other) / Math.sqrt(dot(token, token) * dot(other, other)),
      );
      const others = [...cosines.keys()].filter((other) => other !== self);
      return new Set(others.sort((i, j) => cosines[j]! - cosines[i]!).slice(0, 10));
    });
  const [nearestA, nearestB] = [nearest(a), nearest(b)];
  const shares = nearestA.map(
    (own, token) => [...own].filter((other) => nearestB[token]!.has(other)).length / 10,
  );
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Kornblith et al., from the covariances of the channels and not from products of tokens. */
function plainCka(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  const columns = (tokens: readonly Float64Array[]) =>
    Array.from(tokens[0]!, (_, channel) => {
      const values = Float64Array.from(tokens, (token) => token[channel]!);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.map((value) => value - mean);
    });
  const squares = (x: readonly Float64Array[], y: readonly Float64Array[]) =>
    x.reduce((sum, one) => sum + y.reduce((inner, other) => inner + dot(one, other) ** 2, 0), 0);
  const [x, y] = [columns(a), columns(b)];
  return squares(x, y) / Math.sqrt(squares(x, x) * squares(y, y));
}

test('compares encoders of any grids by the plain formulas, on the coarsest grid', async () => {
  const folders = [models.tiny, models.tiny27, models.clip];
  const { exitCode, stderr, report } = await compareJson(...asModels(...folders), image('rocket.jpg'));
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.deepEqual([report.grid, report.tokens], [{ width: 24, height: 24 }, 576]);
  assert.equal(report.chance, 10 / 575);
  assert.deepEqual(
    report.pairs!.map(({ a, b }) => a + b),
    ['AB', 'AC', 'BC'],
  );
  const tokens = await Promise.all(folders.map((folder) => tokensOf(folder, image('rocket.jpg'), 24)));
  for (const { a, b, agreement, biasedCka, cka } of report.pairs!) {
    const [x, y] = [a, b].map((label) => rowsOf(tokens[label.codePointAt(0)! - 65]!));
    assert.ok(Math.abs(agreement - plainAgreement(x!, y!)) < 1e-9, `${a}${b} ${agreement}`);
    assert.ok(Math.abs(biasedCka - plainCka(x!, y!)) < 1e-9, `${a}${b} ${biasedCka}`);
    assert.ok(cka < biasedCka && cka > biasedCka - 0.2, 'and without the bias of few tokens');
  }
});

test('prints both figures of every pair, the sample and the speed of each encoder', async () => {
  const args = [
    ...asModels(`first=${models.tiny}`, models.tiny27, models.clip),
    image('rocket.jpg'),
    image('page.png'),
  ];
  const { stdout } = await compare([...args, '--max-tokens', '600']);
  const lines = stdout.split('\n');
  assert.equal(lines[0], 'A  first: fp32, last_hidden_state, 512 px, 32 x 32 tokens of 32 channels');
  assert.match(
    stdout,
    /\nNeighbour agreement: .* 10 nearest neighbours .* by chance 0\.017\n {8}A {6}B\n B {2}0\.\d{3}\n C {2}0\.\d{3} {2}0\.\d{3}\n/,
  );
  assert.match(stdout, /\nCKA: linear, debiased; .*\n {8}A {6}B\n B {2,3}-?\d\.\d{3}\n C /);
  assert.match(
    stdout,
    /\nCompared at 600 of 1,152 places of 2 images, on the common grid of 24 x 24 tokens\.\n/,
  );
  assert.match(stdout, /\nA {2}[\d.]+ ms per view \(median\)\nB {2}.*\nC {2}/);
});

test('takes the same places of the same images in every run', async () => {
  const args = [
    ...asModels(models.tiny27, models.clip),
    image('coffee.png'),
    image('page.png'),
    '--max-tokens',
    '100',
  ];
  const [first, second] = [await compareJson(...args), await compareJson(...args)];
  assert.equal(first.report.tokens, 100);
  assert.deepEqual(second.report.pairs, first.report.pairs);
});

test('adds the TeacherEncode of --teacher-of as the last encoder', async () => {
  const args = [
    ...asModels(models.clip, models.tiny),
    '--teacher-of',
    `tiny=${models.tiny}`,
    image('rocket.jpg'),
  ];
  const { report } = await compareJson(...args, '--scales', '512,1024');
  assert.deepEqual(
    report.encoders.map(({ views, label }) => [label, views]),
    [
      ['A', 1],
      ['B', 1],
      ['C', 5],
    ],
  );
  assert.equal(report.encoders[2]!.name, 'tiny as teacher');
  const cka = new Map(report.pairs!.map((pair) => [pair.a + pair.b, pair.cka]));
  assert.ok(cka.get('BC')! > cka.get('AC')! && cka.get('BC')! > cka.get('AB')!, 'nearest to its own student');
});

test('leaves out an image that fails, names it once, and exits with 1', async () => {
  const broken = join(scratch.path, 'broken.jpg');
  await writeFile(broken, 'not an image');
  const files = [image('rocket.jpg'), broken, image('coffee.png')];
  const { exitCode, stderr, report } = await compareJson(...asModels(models.tiny27, models.clip), ...files);
  assert.equal(exitCode, 1);
  assert.equal(stderr.split('\n').filter((line) => line.includes('broken.jpg')).length, 1);
  assert.deepEqual(
    report.images.map(({ file }) => file),
    [files[0], files[2]],
  );
  assert.deepEqual([report.tokens, report.failures.length], [1152, 1]);
  const alone = await compareJson(...asModels(models.tiny27, models.clip), broken);
  assert.deepEqual([alone.exitCode, alone.report.images, alone.report.pairs], [1, [], undefined]);
});

test('writes a sheet that loads nothing, with every figure and the colours of every token', async () => {
  const sheet = join(scratch.path, 'new/sheet.html');
  const odd = join(scratch.path, 'a "<b>&.webp');
  await copyFile(image('tall.webp'), odd);
  const files = [image('rocket.jpg'), odd];
  const args = asModels(models.tiny27, models.clip);
  const { report } = await compareJson(...args, ...files, '--sheet', sheet);
  assert.equal(report.sheet, sheet);
  assert.deepEqual(await readdir(join(scratch.path, 'new')), ['sheet.html']);
  const page = await readFile(sheet, 'utf8');
  assert.doesNotMatch(page, /(?:src|href)="(?!data:)|<script|url\(|@import/);
  const { agreement, cka } = report.pairs![0]!;
  for (const figure of [agreement, cka]) assert.ok(page.includes(`>${Math.floor(figure * 1000) / 1000}`));
  assert.ok(page.includes('a &quot;&lt;b&gt;&amp;.webp') && !page.includes('<b>&'));
  const pictures = [...page.matchAll(/alt="tokens of [^"]*" src="data:image\/png;base64,([^"]+)"/g)];
  assert.equal(pictures.length, 4);
  // Row by row, the encoders from left to right.
  const ofFirst = [pictures[0]!, pictures[2]!];
  const tokens = [await tokensOf(models.tiny27, files[0]!), await tokensOf(models.tiny27, files[1]!)];
  const colours = TokenColours.fit(tokens);
  for (const [index, [, base64]] of ofFirst.entries()) {
    const drawn = await sharp(Buffer.from(base64!, 'base64')).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([drawn.info.width, drawn.info.height, drawn.info.channels], [27, 27, 3]);
    assert.deepEqual([...drawn.data], [...colours.paint(tokens[index]!)]);
  }
});

test('shows twelve images on the sheet although earlier ones failed', async () => {
  const broken = ['x.jpg', 'y.jpg'].map((name) => join(scratch.path, name));
  for (const file of broken) await writeFile(file, 'not an image');
  const copies = Array.from({ length: 13 }, (_, index) => join(scratch.path, `copy-${index}.jpg`));
  for (const file of copies) await copyFile(image('rocket.jpg'), file);
  const sheet = join(scratch.path, 'twelve.html');
  const args = [...asModels(models.tiny27, models.clip), ...broken, ...copies, '--max-tokens', '64'];
  assert.equal((await compare([...args, '--sheet', sheet])).exitCode, 1);
  const page = await readFile(sheet, 'utf8');
  assert.equal([...page.matchAll(/src="data:image\/jpeg/g)].length, 12);
  assert.match(page, /Shown are the first 12 of 13 images\./);
});

test('refuses encoders of which some crop, a folder that is no model, and flags of the other report', async () => {
  await assert.rejects(compare([...asModels(models.tiny, models.crop), image('rocket.jpg')]), {
    code: 'invalid_argument',
    message:
      /^B \(\S+\) crops images to their middle .* import the model of B \(\S+\) with --resize squash\.$/,
  });
  await assert.rejects(compare([...asModels(models.tiny, scratch.path), image('rocket.jpg')]), {
    code: 'invalid_argument',
    message: /is not a model folder/,
  });
  const problems = (...args: string[]) => {
    const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };
    const parsed = parseCommand(compareCommand, { args: [...args, 'x.jpg'], env: {}, machine });
    return parsed.kind === 'refused' ? parsed.problems : [];
  };
  assert.deepEqual(problems('--model', 'a'), [
    '--model is given once; give it for each encoder, or add --teacher-of.',
  ]);
  assert.deepEqual(problems('--model', 'a', '--teacher-of', 'b'), []);
  assert.deepEqual(problems(...asModels('a', 'b'), '--sheet', 's.png'), [
    '--sheet s.png must end in .html: it is a page.',
  ]);
  assert.deepEqual(problems(...asModels('a', 'b'), '--out', 'maps'), [
    '--out is for two models compared token by token; with --model, use --sheet.',
  ]);
  assert.deepEqual(problems('a', 'b', '--sheet', 's.html', '--max-tokens', '100'), [
    '--sheet needs --model.',
    '--max-tokens needs --model.',
  ]);
  assert.equal(problems(...asModels(...Array.from({ length: 26 }, () => 'a'))).length, 1);
});

test('stops at SIGINT and closes the encoder that is open', async () => {
  const faked = fakeTerminal();
  let open = 0;
  const parts = {
    ...realParts,
    async createEncoder(...args: Parameters<typeof realParts.createEncoder>) {
      const encoder = await realParts.createEncoder(...args);
      open++;
      faked.interrupt();
      const close = encoder.close.bind(encoder);
      encoder.close = async () => {
        open--;
        await close();
      };
      return encoder;
    },
  };
  const comparing = compare([...asModels(models.tiny27, models.clip), image('rocket.jpg')], parts, faked);
  await assert.rejects(comparing, { code: 'cancelled' });
  assert.equal(open, 0);
});
