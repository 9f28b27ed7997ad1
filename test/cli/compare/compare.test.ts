import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { CompareParts } from '../../../src/cli/compare/comparison-run.ts';
import { compareCommand } from '../../../src/cli/settings/compare.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { importModel } from '../../../src/model/import/import-model.ts';
import type { EncodeAnswer, EncodeRequest } from '../../../src/encoding/request.ts';
import { compareTokens, summarise } from '../../../src/tokens/compare-tokens.ts';
import { expectedTokens, goldenCases } from '../../support/golden.ts';
import { stubModel } from '../../support/stub-model.ts';
import { importFixture, scratchFolder } from '../../support/tiny-models.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { compare, realParts } from './run-compare.ts';
import { madeUp } from '../../support/answer-origin.ts';

const images = 'test/fixtures/images';
/** A file that every comparison of images refuses. */
const notAnImage = 'package.json';
const scratch = scratchFolder();
const models = { tiny: '', half: '', tiny27: '', clip: '', layers: '', penultimate: '' };

before(async () => {
  models.tiny = await importFixture(scratch.path, 'siglip-tiny');
  models.tiny27 = await importFixture(scratch.path, 'siglip-tiny-27');
  models.clip = await importFixture(scratch.path, 'clip-tiny');
  for (const [name, features] of [
    ['layers', ['last_hidden_state', 'penultimate']],
    ['penultimate', ['penultimate']],
  ] as const) {
    models[name] = join(scratch.path, name);
    await importModel({
      source: 'test/fixtures/siglip-tiny',
      out: models[name],
      features,
      precision: 'fp32',
    });
  }
  models.half = join(scratch.path, 'half');
  await importModel({
    source: 'test/fixtures/siglip-tiny',
    out: models.half,
    features: ['last_hidden_state'],
    precision: 'fp16',
  });
});
after(() => scratch.remove());

interface SideJson {
  readonly name: string;
  readonly precision: string;
  readonly features: string;
  readonly views: number;
  readonly msPerView: number;
  readonly msPerImage: number;
}

interface SummaryJson {
  readonly tokens: number;
  readonly cosine: { readonly mean: number; readonly percentile1: number; readonly minimum: number };
  readonly meanL1: number;
  readonly largestDifference: number;
}

interface ReportJson {
  readonly a: SideJson;
  readonly b: SideJson;
  readonly images: readonly (SummaryJson & { readonly file: string; readonly heatMap?: string })[];
  readonly all?: SummaryJson;
  readonly heatMapMax?: number;
  readonly failures: readonly { readonly file: string; readonly problem: string }[];
}

async function compareJson(args: readonly string[], parts?: CompareParts) {
  const { exitCode, stdout, stderr } = await compare([...args, '--json'], parts);
  return { exitCode, stderr, report: JSON.parse(stdout) as ReportJson };
}

/** Two tokens of two channels: what a model named A answers, and another one, for an image of one byte. */
async function stubAnswer({ images: [image], options }: EncodeRequest): Promise<EncodeAnswer> {
  assert.equal(image?.kind, 'file');
  const [byte = 0] = image.bytes;
  if (byte === 0) throw new ServiceError('invalid_argument', 'This is not an image.');
  const values = options.model === 'A' ? [byte, 0, 1, 0] : [byte, 0, 0, 1];
  const shape = [2, 2];
  return {
    tensor: { shape, dtype: 'float32', parts: [new Uint8Array(Float32Array.from(values).buffer)] },
    metadata: { ...stubMetadata(2), images: [{ width: 4, height: 2 }] },
    timings: { decodeMs: 0, viewsMs: 0, queueMs: 0, engineMs: 0 },
    ...madeUp,
  };
}

function stubMetadata(tokens: number): Omit<EncodeAnswer['metadata'], 'images'> {
  return {
    model: { name: 'stub', digest: 'sha256:0', trained: false },
    recipe: 'encode',
    output: 'features',
    features: 'last_hidden_state',
    precision: 'fp32',
    dtype: 'float32',
    shape: [tokens, 2],
    grid: { width: tokens, height: 1 },
    views: 1,
  };
}

/** An engine that takes 10 ms per view with A and 30 with B, or what `engineMs` says. */
function stubParts(encode = stubAnswer, engineMs = (model?: string): number => (model === 'A' ? 10 : 30)) {
  const seen: { heatMaps: number[]; served: string[]; closed: number } = {
    heatMaps: [],
    served: [],
    closed: 0,
  };
  const parts: CompareParts = {
    ...realParts,
    async createEncoder(config, _logger, observer) {
      seen.served = config.models.map(({ name, folder }) => `${name}=${folder}`);
      const model = { ...stubModel, grid: { width: 2, height: 1 }, channels: 2 };
      return {
        models: () => config.models.map(({ name = '', folder }) => ({ ...model, name, folder })),
        async encode(request) {
          const { model: name = '' } = request.options;
          observer?.observeBatch?.({ model: name, engine: 'cpu:0', views: 1, engineMs: engineMs(name) });
          return await encode(request);
        },
        close: async () => {
          seen.closed += 1;
        },
      };
    },
    async heatMapFile(bytes, _options, { scaleMax }) {
      seen.heatMaps.push(scaleMax);
      return bytes;
    },
  };
  return { parts, seen };
}

async function folderWith(context: TestContext, files: Record<string, number[]>) {
  const folder = await mkdtemp(join(tmpdir(), 'compare-test-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), Buffer.from(bytes));
  }
  return (name: string) => join(folder, name);
}

test('finds fp16 close to fp32, and says so for each image and for all', async () => {
  const files = [join(images, 'rocket.jpg'), join(images, 'page.png')];
  const { exitCode, report, stderr } = await compareJson([models.tiny, `b=${models.half}`, ...files]);
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.deepEqual([report.a.name, report.a.precision], ['siglip-tiny-last_hidden_state-fp32', 'fp32']);
  assert.deepEqual([report.b.name, report.b.precision], ['b', 'fp16']);
  assert.deepEqual(
    report.images.map(({ file }) => file),
    files,
  );
  for (const { cosine, meanL1, largestDifference, tokens } of [...report.images, report.all!]) {
    assert.ok(cosine.minimum > 0.9999 && cosine.minimum <= cosine.percentile1);
    assert.ok(cosine.percentile1 <= cosine.mean && cosine.mean < 1, 'and not the same model twice');
    assert.ok(meanL1 > 0 && meanL1 < largestDifference && largestDifference < 2e-2);
    assert.equal(tokens % 1024, 0);
  }
  assert.equal(report.all!.tokens, 2048);
  assert.ok(report.a.msPerView > 0 && report.b.msPerView > 0);
  assert.equal(report.heatMapMax, undefined);
});

test("gives the distance to the teacher that transformers' tokens have, with one model for both", async () => {
  const tokensOf = (file: string) => expectedTokens(goldenCases.find(({ expected }) => expected === file)!);
  for (const [image, teacher, flags] of [
    ['rocket.jpg', 'teacher-rocket.jpg.npy', []],
    ['document.png', 'teacher-document.png-w12.npy', ['--weights', '1,2']],
    ['document.png', 'teacher-document.png-3scales.npy', ['--scales', '512,1024,1536']],
  ] as const) {
    const golden = compareTokens(tokensOf(`encode-${image}.npy`), tokensOf(teacher), 32);
    const expected = summarise([golden]);
    const args = [models.tiny, '--teacher-of', models.tiny, join(images, image), ...flags];
    const { exitCode, report } = await compareJson(args);
    assert.equal(exitCode, 0);
    const { cosine, meanL1 } = report.images[0]!;
    assert.ok(Math.abs(cosine.mean - expected.cosine.mean) < 1e-5);
    assert.ok(Math.abs(cosine.minimum - expected.cosine.minimum) < 1e-4);
    assert.ok(Math.abs(meanL1 - expected.meanL1) < 1e-4);
    assert.ok(report.b.views >= 5);
    assert.ok(report.b.msPerImage > report.b.msPerView);
  }
});

test("brings a teacher of another grid to the student's", async () => {
  const args = [models.tiny, join(images, 'rocket.jpg'), '--teacher-of', models.tiny27];
  const { exitCode, report } = await compareJson(args);
  assert.deepEqual([exitCode, report.all?.tokens], [0, 1024]);
});

test('refuses models of different grids with one sentence before any image', async () => {
  const comparing = compare([models.tiny, models.tiny27, notAnImage]);
  await assert.rejects(comparing, {
    code: 'invalid_argument',
    message:
      /^A \(\S+\) gives 32 x 32 tokens of 32 channels and B \(\S+\) 27 x 27 tokens of 32 channels; .*--teacher-of/,
  });
});

test("refuses scales that the teacher's model cannot have before any image", async () => {
  const args = [models.tiny, '--teacher-of', models.tiny, notAnImage, '--scales', '500'];
  await assert.rejects(compare(args), {
    code: 'invalid_argument',
    message: /The scale 500 is not 1, 2, 3 or 4 times the model's image size/,
  });
  const tooMany = [...args.slice(0, -1), '512,1024,1536,2048', '--windows', 'half_overlap'];
  await assert.rejects(compare(tooMany), { message: /--windows half_overlap.* Use --windows tiles/ });
});

test('draws a heat map of each image in its proportions, with one scale, beside nothing else', async (context) => {
  const at = await folderWith(context, {});
  const args = [models.tiny, join(images, 'rocket.jpg'), join(images, 'document.png')];
  const { exitCode, stdout } = await compare([...args, '--teacher-of', models.tiny, '--out', at('new/maps')]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /Heat maps in .*new\/maps: 1 - cosine, from 0 \(black\) to 0\.2 or more/);
  const names = ['document.png.heat-map.png', 'rocket.jpg.heat-map.png'];
  assert.deepEqual((await readdir(at('new/maps'))).toSorted(), names);
  for (const [name, image] of [
    [names[0]!, 'document.png'],
    [names[1]!, 'rocket.jpg'],
  ] as const) {
    const { width, height, channels, exif } = await sharp(await readFile(at(`new/maps/${name}`))).metadata();
    const original = await sharp(await readFile(join(images, image))).metadata();
    assert.equal(channels, 3);
    assert.equal(Math.max(width, height - 32), 1024);
    assert.ok(Math.abs(width / (height - 32) - original.width / original.height) < 0.002);
    assert.ok(exif?.includes('1 - cosine of each token, from 0 to 0.2\0'));
  }
});

test('prints a line for each image, one for all, and the median speed of each', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2], 'c.jpg': [3] });
  const perView = [9, 31, 90, 310, 10, 30].values();
  const { parts, seen } = stubParts(stubAnswer, () => perView.next().value ?? 0);
  const { exitCode, stdout } = await compare(['x=m1', 'm2', ...['a.jpg', 'b.jpg', 'c.jpg'].map(at)], parts);
  assert.equal(exitCode, 0);
  const lines = stdout.split('\n');
  assert.deepEqual(lines.slice(0, 2), [
    'A  x: fp32, last_hidden_state, 512 px, 2 x 1 tokens of 2 channels',
    'B  m2: fp32, last_hidden_state, 512 px, 2 x 1 tokens of 2 channels',
  ]);
  assert.deepEqual(lines.slice(3, 8), [
    '  mean cos    1st pct.     min cos  mean |A-B|   max |A-B|  image',
    ...['a.jpg', 'b.jpg', 'c.jpg'].map(
      (name) => ` 0.5000000   0.0100000   0.0000000         0.5           1  ${at(name)}`,
    ),
    ' 0.5000000   0.0000000   0.0000000         0.5           1  all: 3 images, 6 tokens',
  ]);
  assert.deepEqual(lines.slice(8), ['', 'A  10.0 ms per view (median)', 'B  31.0 ms per view (median)', '']);
  assert.deepEqual([seen.served, seen.closed], [['A=m1', 'B=m2'], 1]);
});

test('names an image that fails, does the others, does not count its time, and exits with 1', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'bad.jpg': [0] });
  const { parts, seen } = stubParts();
  const files = [at('missing.jpg'), at('bad.jpg'), at('a.jpg')];
  const { exitCode, report, stderr } = await compareJson(['m', 'm2', ...files, '--out', at('maps')], parts);
  assert.equal(exitCode, 1);
  const problems = ['no such file or directory.', 'This is not an image.'];
  assert.deepEqual(
    report.failures,
    problems.map((problem, index) => ({ file: files[index], problem })),
  );
  const lines = problems.map((problem, index) => `siglip-hd: ${files[index]}: ${problem}\n`);
  assert.equal(stderr, lines.join(''));
  assert.equal(report.images.length, 1);
  assert.equal(report.images[0]?.heatMap, at('maps/a.jpg.heat-map.png'));
  assert.deepEqual(await readdir(at('maps')), ['a.jpg.heat-map.png']);
  assert.deepEqual([report.a.msPerView, report.b.msPerView], [10, 30]);
  assert.equal(seen.closed, 1);
});

test('reports no figures when every image failed', async (context) => {
  const at = await folderWith(context, { 'bad.jpg': [0] });
  const { exitCode, report } = await compareJson(['m', 'm2', at('bad.jpg')], stubParts().parts);
  assert.equal(exitCode, 1);
  assert.deepEqual([report.images, report.all, report.a.msPerView], [[], undefined, undefined]);
});

test('takes the end of the scale from --heat-max, else from the figures, rounded up', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const args = ['m', 'm2', at('a.jpg'), '--out', at('.')];
  const { parts, seen } = stubParts();
  assert.equal((await compareJson([...args, '--heat-max', '0.37'], parts)).report.heatMapMax, 0.37);
  // The 1st percentile is 0.01: the distance is 0.99.
  assert.equal((await compareJson(args, parts)).report.heatMapMax, 1);
  assert.deepEqual(seen.heatMaps, [0.37, 1]);
  assert.deepEqual((await readdir(at('.'))).toSorted(), ['a.jpg', 'a.jpg.heat-map.png']);
});

test('serves a folder that is both sides once', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const { parts, seen } = stubParts();
  await compare(['x=m', 'y=m/', at('a.jpg')], parts);
  assert.deepEqual(seen.served, ['A=m']);
});

test('refuses operands that leave no image, and images that would become one heat map', async () => {
  const { parts, seen } = stubParts();
  for (const args of [
    ['m', 'm2'],
    ['m', '/', 'a.jpg'],
    ['m', 'm2', 'a/x.jpg', 'b/x.jpg', '--out', 'maps'],
  ]) {
    await assert.rejects(compare(args, parts), { code: 'invalid_argument' });
  }
  assert.deepEqual(seen.served, []);
});

test('compares the images of a folder and of a pattern, each once, and draws below --out as they lie', async (context) => {
  const at = await folderWith(context, {
    'in/sub/a.jpg': [1],
    'in/b.png': [2],
    'in/c.txt': [3],
    'in/d.tar': [4],
  });
  const { parts } = stubParts();
  const args = ['m', 'm2', at('in'), at('in/*.png'), at('nowhere/*.jpg'), '--out', at('in/maps')];
  for (let run = 0; run < 2; run += 1) {
    const { exitCode, report } = await compareJson(args, parts);
    assert.equal(exitCode, 1);
    assert.deepEqual(
      report.images.map(({ file, heatMap }) => [file, heatMap]),
      [
        [at('in/b.png'), at('in/maps/b.png.heat-map.png')],
        [at('in/sub/a.jpg'), at('in/maps/sub/a.jpg.heat-map.png')],
      ],
    );
    assert.deepEqual(report.failures, [
      { file: at('nowhere/*.jpg'), problem: 'no file matches this pattern.' },
      { file: at('in/d.tar'), problem: 'compare does not read tars; unpack it.' },
    ]);
  }
});

test('draws below --out whatever paths stdin lists', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const { parts } = stubParts();
  const readStdin = async () => `${at('x/../../')}${basename(at('.'))}/a.jpg\r\n`;
  const { report } = await compareJson(['m', 'm2', '-', '--out', at('maps')], { ...parts, readStdin });
  assert.equal(report.images[0]?.heatMap?.startsWith(at('maps/')), true);
});

test('refuses to compare nothing, before a model is loaded, and offers no tar', async (context) => {
  const at = await folderWith(context, { 'tars/a.tar': [1], 'tars/b.tar': [1], 'none/c.txt': [1] });
  const { parts, seen } = stubParts();
  for (const [operand, message] of [
    [
      at('tars'),
      `${at('tars/a.tar')}: compare does not read tars; unpack it. ${at('tars/b.tar')}: compare does not read tars; unpack it.`,
    ],
    [at('none/*.jpg'), `${at('none/*.jpg')}: no file matches this pattern.`],
    [
      at('none'),
      `There are no images in ${at('none')}: no file ends in .jpg, .jpeg, .png, .webp, .gif, .tif, .tiff or .avif.`,
    ],
  ] as const) {
    await assert.rejects(compare(['m', 'm2', operand], parts), { code: 'invalid_argument', message });
  }
  assert.deepEqual(seen.served, []);
});

test('refuses more images than a comparison needs, before a model is loaded', async () => {
  const { parts, seen } = stubParts();
  const readStdin = async () =>
    ['test/fixtures/images/rocket.jpg', ...Array.from({ length: 10_000 }, (_, index) => `${index}.jpg`)].join(
      '\n',
    );
  await assert.rejects(compare(['m', 'm2', '-'], { ...parts, readStdin }), {
    code: 'invalid_argument',
    message: 'There are 10,001 images; compare takes at most 10,000. Give fewer: a few hundred are enough.',
  });
  assert.deepEqual(seen.served, []);
});

test('compares the hidden state that --features names, and refuses a model that lacks it by its name', async () => {
  const rocket = join(images, 'rocket.jpg');
  const { report } = await compareJson([models.layers, models.layers, rocket, '--features', 'penultimate']);
  const { report: plain } = await compareJson([models.layers, models.penultimate, rocket]);
  assert.equal(report.all?.cosine.minimum, 1);
  assert.deepEqual([report.a.features, report.b.features], ['penultimate', 'penultimate']);
  assert.ok(plain.all!.cosine.mean < 0.999, 'the default of the first model is another hidden state');
  const same = await compareJson([models.layers, models.penultimate, rocket, '--features', '-2']);
  assert.equal(same.report.all?.cosine.minimum, 1);
  const lacking = {
    code: 'failed_precondition',
    message: /^The model "b" has no penultimate, only last_hidden_state\. An import adds it: /,
  };
  for (const args of [
    [models.layers, `b=${models.tiny}`, rocket],
    ['--model', models.layers, '--model', `b=${models.tiny}`, rocket],
    [models.layers, rocket, '--teacher-of', `b=${models.tiny}`],
  ]) {
    await assert.rejects(compare([...args, '--features', 'penultimate']), lacking);
  }
});

test('says that two different hidden states are compared, and compares them', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const { parts } = stubParts();
  const mixed: CompareParts = {
    ...parts,
    async createEncoder(...args) {
      const encoder = await parts.createEncoder(...args);
      const [a, b] = encoder.models();
      return { ...encoder, models: () => [a!, { ...b!, features: 'penultimate' as const }] };
    },
  };
  const { exitCode, stderr } = await compare(['m', 'm2', at('a.jpg')], mixed);
  assert.equal(exitCode, 0);
  assert.equal(
    stderr,
    'siglip-hd: A gives last_hidden_state and B penultimate: these are different hidden states.\n',
  );
});

test('runs from the command line, with its log on stderr where it is asked for, and nothing but JSON on stdout', async () => {
  const args = ['compare', models.tiny, models.half, join(images, 'page.png'), '--json'];
  const run = (...more: string[]) =>
    promisify(execFile)(process.execPath, ['bin/siglip-hd.cjs', ...args, ...more]);
  const { stdout, stderr } = await run('--log-level=info');
  const report = JSON.parse(stdout) as ReportJson;
  assert.equal(report.all?.tokens, 1024);
  assert.match(stderr, /"msg":"the model is warm"/);
  assert.equal((await run()).stderr, '');
});

test('stops at SIGINT and closes the encoder', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  const faked = fakeTerminal();
  const { parts, seen } = stubParts(async ({ signal }) => {
    faked.interrupt();
    throw signal.reason;
  });
  const comparing = compare(['m', 'm2', at('a.jpg'), at('b.jpg')], parts, faked);
  await assert.rejects(comparing, { code: 'cancelled' });
  assert.deepEqual([seen.closed, faked.stderr.text], [1, '']);
});

test("refuses a teacher's flags without a teacher, and a scale without heat maps", () => {
  const problems = (args: readonly string[]) => {
    const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };
    const parsed = parseCommand(compareCommand, { args: ['a', 'b', 'c', ...args], env: {}, machine });
    return parsed.kind === 'refused' ? parsed.problems : [];
  };
  assert.deepEqual(problems(['--scales', '512', '--weights', '1', '--windows', 'half_overlap']), [
    '--scales needs --teacher-of.',
    '--weights needs --teacher-of.',
    '--windows needs --teacher-of.',
  ]);
  assert.deepEqual(problems(['--heat-max', '0.1']), ['--heat-max needs --out.']);
  for (const weights of ['1,0.5', '1e-1,.5']) {
    assert.deepEqual(problems(['--teacher-of', 'm', '--scales', '512,1024', '--weights', weights]), []);
  }
  for (const wrong of ['0', '-1', '3', 'x', 'Infinity', '']) {
    assert.equal(problems(['--out', 'o', `--heat-max=${wrong}`]).length, 1, wrong);
  }
  assert.deepEqual(problems(['--out', 'o', '--heat-max', '1e-4']), []);
});

test('refuses to compare a crop with a squash, whose tokens show different places', async () => {
  const image = join(images, 'rocket.jpg');
  await assert.rejects(compareJson([models.clip, '--teacher-of', models.clip, image]), {
    code: 'invalid_argument',
    message:
      /^A \(clip-\S+\) crops images to their middle and B \(clip-\S+\) shows the whole image.* import the model of A \(clip-\S+\) with --resize squash\.$/,
  });
});
