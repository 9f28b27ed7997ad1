import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCommand } from '../../../src/cli/settings/encode.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { recipeRequest } from '../../../src/cli/settings/recipe-flags.ts';
import { requestOptions } from '../../../src/transport/request-options.ts';

const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };

function parse(text: string) {
  return parseCommand(encodeCommand, { args: ['a.jpg', '--out', 'x', ...text.split(' ')], env: {}, machine });
}

function problems(text: string): readonly string[] {
  const parsed = parse(text);
  return parsed.kind === 'refused' ? parsed.problems : [];
}

function request(text: string) {
  const parsed = parse(text);
  assert.equal(parsed.kind, 'run', text);
  return recipeRequest(parsed.settings);
}

test('has a flag for every option of every recipe', () => {
  const others = { model: 'model', output: 'embeddings' };
  for (const [recipe, options] of Object.entries(requestOptions)) {
    for (const { name } of options) {
      const flag = others[name as keyof typeof others] ?? name.replaceAll('_', '-');
      assert.ok(flag in encodeCommand.settings, `${recipe}: ${name}`);
    }
  }
});

test('gives every option as a query of HTTP has it, with its defaults', () => {
  const common = { output: 'features', dtype: 'float16', exif: 'apply' };
  assert.deepEqual(request('--recipe encode').query, common);
  const teacher = '--recipe teacher --fusion unshuffle_concat --channel-order internvl --scales 512,2048';
  assert.deepEqual(request(teacher).query, {
    ...common,
    fusion: 'unshuffle_concat',
    channel_order: 'internvl',
    scales: '512,2048',
    windows: 'tiles',
  });
  const anyres = '--recipe anyres --max-grid 2x3 --max-tiles 0 --embeddings --exif ignore';
  assert.deepEqual(request(anyres).query, {
    output: 'embeddings',
    dtype: 'float16',
    exif: 'ignore',
    max_grid: '2x3',
    max_tiles: '0',
  });
  assert.deepEqual(request('--recipe anyres').query, common, 'a model may have an AnyRes of its own');
  assert.deepEqual(request('--features penultimate,-3 --class-token').query, {
    ...common,
    features: 'penultimate,-3',
    class_token: 'true',
  });
  assert.deepEqual(request('--pooled').query, { ...common, output: 'pooled' });
  const digest = `sha256:${'0'.repeat(64)}`;
  assert.deepEqual(request(`--expect-digest ${digest}`).expectations, { expect_digest: digest });
  assert.equal(request(`--expect-digest ${digest}`).options.expectDigest, digest);
});

test('refuses values that HTTP would refuse, and options of another recipe', () => {
  assert.deepEqual(problems('--recipe teacher --scales 512;1024'), [
    '--scales must be sides in pixels separated by commas, such as 512,1024, not "512;1024".',
  ]);
  assert.deepEqual(problems('--recipe teacher --fusion mean'), [
    '--fusion must be one of average, concat, unshuffle_concat, not "mean".',
  ]);
  assert.deepEqual(problems('--scales 512 --max-grid 2x2'), [
    '--scales needs --recipe teacher.',
    '--max-grid needs --recipe anyres.',
  ]);
  assert.deepEqual(problems('--recipe anyres --class-token --fusion average'), [
    '--class-token needs --recipe encode.',
  ]);
});

test('refuses a further model where one encodes', () => {
  const two = '--model x=1 --model y=2';
  const refused = [
    '--model is given more than once, but one model encodes. Give one, or use --recipe teacher --windows whole, which takes several.',
  ];
  assert.deepEqual(problems(two), refused);
  assert.deepEqual(problems(`${two} --recipe teacher`), refused);
  assert.deepEqual(problems(`${two} --recipe teacher --windows whole`), []);
});

test('refuses settings that services make useless, and a key that others could see', () => {
  assert.deepEqual(problems('--url http://a:8080 --engines 2'), [
    '--engines has no effect with --url: the services run the model.',
  ]);
  assert.deepEqual(problems('--url http://a:8080 --model models/hd'), [
    '--model with --url is the name of one served model, not a folder.',
  ]);
  assert.deepEqual(problems('--url a:8080'), [
    '--url must be like http://HOST:8080, or https:// for TLS, without a user or a query.',
  ]);
  assert.match(problems('--api-key secret')[0] ?? '', /set SIGLIPHD_API_KEY\.$/);
  assert.equal(parse('--url http://a:8080/ --url https://b/siglip --model hd').kind, 'run');
});

test('refuses shards of bfloat16, and a folder that is named like one', () => {
  assert.deepEqual(problems('--format webdataset --dtype bfloat16'), [
    '--dtype bfloat16 needs --format safetensors or torch: npy has no bfloat16.',
  ]);
  const parsed = parseCommand(encodeCommand, { args: ['a.jpg', '--out', 'x.tar'], env: {}, machine });
  assert.deepEqual(parsed.kind === 'refused' && parsed.problems, [
    '--out x.tar is named like a file; give a folder, or an archive that ends in .safetensors.',
  ]);
});

test('writes to --out or draws a --preview', () => {
  const of = (...flags: string[]) => {
    const parsed = parseCommand(encodeCommand, { args: ['a.jpg', ...flags], env: {}, machine });
    return parsed.kind === 'refused' ? parsed.problems : [];
  };
  assert.deepEqual(of(), ['--out is missing.']);
  assert.deepEqual(of('--out', 'x', '--preview', 'y.png'), [
    '--preview draws one image in place of writing to --out; give one of them.',
  ]);
  assert.deepEqual(of('--preview', 'y.png'), []);
});
