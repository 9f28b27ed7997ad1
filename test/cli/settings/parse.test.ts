import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeCommand } from '../../../src/cli/settings/encode.ts';
import { importCommand } from '../../../src/cli/settings/import.ts';
import { serveCommand } from '../../../src/cli/settings/serve.ts';
import type { Machine } from '../../../src/cli/settings/machine.ts';
import { commands, parseCommand } from '../../../src/cli/settings/parse.ts';
import { readSetting } from '../../../src/cli/settings/read-setting.ts';
import { variableName } from '../../../src/cli/settings/setting.ts';

const machine: Machine = { cores: 8, poolThreads: 12, cacheHome: '/home/ada/.cache', hasIpv6: true };

function serve(args: readonly string[], env: NodeJS.ProcessEnv = {}, on: Machine = machine) {
  return parseCommand(serveCommand, { args, env, machine: on });
}

function served(args: readonly string[], env: NodeJS.ProcessEnv = {}, on: Machine = machine) {
  const parsed = serve(args, env, on);
  assert.equal(parsed.kind, 'run', JSON.stringify(parsed));
  return parsed.settings;
}

function problems(args: readonly string[], env: NodeJS.ProcessEnv = {}, on: Machine = machine) {
  const parsed = serve(args, env, on);
  assert.equal(parsed.kind, 'refused');
  return parsed.problems;
}

test('takes defaults, some of them from the machine', () => {
  const settings = served([]);
  assert.equal(settings.host, '::');
  assert.equal(settings.httpPort, 8080);
  assert.equal(settings.grpcPort, 50_051);
  assert.equal(settings.threads, 7);
  assert.equal(settings.viewThreads, 8);
  assert.equal(settings.decodeConcurrency, 8);
  assert.equal(settings.maxBodyBytes, 20 * 2 ** 20);
  assert.equal(settings.cacheDir, '/home/ada/.cache/siglip-hd');
  assert.deepEqual(settings.models, []);
  assert.deepEqual(settings.device, { kind: 'cpu' });
});

test('listens on every address: on both families where the machine has IPv6, else on IPv4', () => {
  assert.equal(served([], {}, { ...machine, hasIpv6: true }).host, '::');
  assert.equal(served([], {}, { ...machine, hasIpv6: false }).host, '0.0.0.0');
  assert.equal(served(['--host', '127.0.0.1']).host, '127.0.0.1');
});

test('needs no home: a user without one has no cache folder unless it is given', () => {
  const homeless = { ...machine, cacheHome: undefined };
  assert.equal(served([], {}, homeless).cacheDir, undefined);
  assert.equal(served(['--cache-dir', '/c'], {}, homeless).cacheDir, '/c');
});

test('takes a value after a flag that is true by default', () => {
  assert.equal(served([]).playground, true);
  assert.equal(served(['--playground', 'false']).playground, false);
  assert.equal(served(['--playground=false']).playground, false);
  assert.equal(served(['--playground', 'true']).playground, true);
  assert.equal(served([], { SIGLIPHD_PLAYGROUND: 'false' }).playground, false);
  assert.deepEqual(problems(['--playground']), ['The flag --playground needs a value.']);
  assert.deepEqual(problems(['--playground', 'no']), ['--playground must be true or false, not "no".']);
});

test('shares the cores among several engines', () => {
  const threads = (...args: string[]) => served(args).threads;
  assert.deepEqual(threads('--engines=2'), 3);
  assert.deepEqual(threads('--engines=7'), 1);
  assert.deepEqual(threads('--engines=64'), 1);
  assert.deepEqual(threads('--engines=2', '--threads=8'), 8);
});

test('leaves an engine one thread on a machine of one core', () => {
  const { threads, viewThreads, decodeConcurrency } = served([], {}, { ...machine, cores: 1 });
  assert.deepEqual([threads, viewThreads, decodeConcurrency], [1, 1, 1]);
});

test('has every default of every command in its own range, whatever the machine', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1024 }),
      fc.integer({ min: 1, max: 1024 }),
      (cores, poolThreads) => {
        for (const { settings } of commands) {
          for (const [name, setting] of Object.entries(settings)) {
            if (setting.default === undefined) continue;
            const on = { ...machine, cores, poolThreads };
            const text = typeof setting.default === 'string' ? setting.default : setting.default.of(on, {});
            assert.ok(readSetting(setting, text ?? '').ok, `--${name} ${text}`);
          }
        }
        served([], {}, { ...machine, cores, poolThreads });
      },
    ),
    { numRuns: 50 },
  );
});

test('lets a flag win over the environment, and the environment over the default', () => {
  const env = { SIGLIPHD_HTTP_PORT: '9000', SIGLIPHD_GRPC_PORT: '9001' };
  const settings = served(['--http-port', '7000'], env);
  assert.equal(settings.httpPort, 7000);
  assert.equal(settings.grpcPort, 9001);
});

test('takes an empty variable as unset', () => {
  assert.equal(served([], { SIGLIPHD_HTTP_PORT: '', SIGLIPHD_MODEL: '' }).httpPort, 8080);
});

test('reads --flag=VALUE as --flag VALUE', () => {
  assert.equal(served(['--log-level=debug']).logLevel, 'debug');
  assert.deepEqual(served(['--model=a=b']).models, [{ name: 'a', folder: 'b' }]);
});

test('takes several models in order, from flags or from a list in the environment', () => {
  const models = [{ name: 'student', folder: 'models/hd' }, { folder: './models/teacher' }];
  assert.deepEqual(served(['--model', 'student=models/hd', '--model', './models/teacher']).models, models);
  assert.deepEqual(served([], { SIGLIPHD_MODEL: 'student=models/hd,./models/teacher' }).models, models);
  assert.deepEqual(served(['--model', 'x'], { SIGLIPHD_MODEL: 'y,z' }).models, [{ folder: 'x' }]);
});

test('says how to write bytes', () => {
  assert.deepEqual(problems(['--cache-bytes', '1GB']), [
    '--cache-bytes must be 0 to 1024GiB in bytes, KiB, MiB or GiB, not "1GB".',
  ]);
  assert.deepEqual(problems(['--cache-bytes', '2048GiB']), [
    '--cache-bytes must be 0 to 1024GiB in bytes, KiB, MiB or GiB, not "2048GiB".',
  ]);
  assert.deepEqual(problems(['--cache-bytes', '9999999999999999']), [
    '--cache-bytes must be 0 to 1024GiB in bytes, KiB, MiB or GiB, not "9999999999999999".',
  ]);
});

test('reads bytes with and without a unit', () => {
  assert.equal(served(['--max-body-bytes', '4096']).maxBodyBytes, 4096);
  assert.equal(served(['--max-body-bytes', '64KiB']).maxBodyBytes, 65_536);
  assert.equal(served(['--max-body-bytes', '1GiB', '--max-inflight-bytes', '1GiB']).maxBodyBytes, 2 ** 30);
});

test('takes a negative number as a value, and says what it must be', () => {
  assert.deepEqual(problems(['--threads', '-1']), ['--threads must be 1 to 1,024, not "-1".']);
});

test('refuses a teacher that is not served', () => {
  const one = ['--model', 'student=models/hd'];
  assert.deepEqual(problems([...one, '--teacher', 'nano-base']), [
    '--teacher is "nano-base"; the served models are student.',
  ]);
  assert.deepEqual(problems(['--teacher', 'student']), [
    '--teacher is "student"; the served models are nano-hd, nano-base.',
  ]);
  assert.equal(served([...one, '--teacher', 'student']).teacher, 'student');
});

test("the embedded models come with their teacher, which a flag replaces; models of one's own have none by themselves", () => {
  assert.equal(served([]).teacher, 'nano-base');
  assert.equal(served(['--teacher', 'nano-hd']).teacher, 'nano-hd');
  assert.equal(served(['--model', 'student=models/hd']).teacher, undefined);
});

test('lists every problem at once, a sentence each', () => {
  const args = [
    '--http-port',
    '70000',
    '--colour',
    '--device=tpu',
    '--threads',
    '--log-level',
    'loud',
    'extra',
  ];
  const env = { SIGLIPHD_GRPC_PORT: 'abc', SIGLIPHD_COLOUR: 'red', SIGLIPHD_WARM_UP_MS: '10001' };
  assert.deepEqual(problems(args, env), [
    'serve has no flag --colour; siglip-hd serve --help lists its flags.',
    'The flag --threads needs a value.',
    'serve does not take the argument "loud".',
    'serve does not take the argument "extra".',
    'siglip-hd has no environment variable SIGLIPHD_COLOUR.',
    '--http-port must be 0 to 65,535, not "70000".',
    'SIGLIPHD_GRPC_PORT must be 0 to 65,535, not "abc".',
    '--device must be cpu, cuda, cuda:N or cuda:N,cuda:M, not "tpu".',
    'SIGLIPHD_WARM_UP_MS must be 0 to 10,000 ms, not "10001".',
  ]);
});

test('finds contradictions beside other problems, but none that only follow from one', () => {
  assert.deepEqual(problems(['--http-port', '80', '--grpc-port', '80', '--threads', 'x']), [
    '--threads must be 1 to 1,024, not "x".',
    '--http-port and --grpc-port are both 80; they must differ.',
  ]);
  assert.deepEqual(problems(['--max-queued-views', '0', '--max-images', '600']), [
    '--max-queued-views must be 1 to 65,536, not "0".',
  ]);
  assert.deepEqual(problems(['--http-socket', 'unix:/s', '--socket-mode', '600']), [
    '--http-socket must be a path without "unix:" before it, not "unix:/s".',
  ]);
});

test('refuses values that contradict each other', () => {
  const of = (text: string) => problems(text.split(' '));
  assert.match(of('--max-batch 8 --max-queued-views 4 --max-images 1')[0] ?? '', /can never fill/);
  assert.match(of('--max-images 8 --max-queued-views 4')[0] ?? '', /can never fit/);
  assert.match(of('--decode-concurrency 13')[0] ?? '', /UV_THREADPOOL_SIZE to be 13 or more; it is 12/);
  assert.match(of('--model a/hd --model b/hd')[0] ?? '', /more than one model "hd"/);
  assert.deepEqual(problems(['--max-answer-bytes', '4MiB', '--max-unread-bytes', '1MiB']), [
    '--max-answer-bytes 4194304 can never fit in --max-unread-bytes 1048576.',
  ]);
  assert.deepEqual(problems(['--grpc-port', '9', '--metrics-port', '9']), [
    '--grpc-port and --metrics-port are both 9; they must differ.',
  ]);
  assert.deepEqual(problems(['--metrics-port', '65536']), [
    '--metrics-port must be a whole number from 0 to 65535, not "65536".',
  ]);
  assert.equal(served(['--metrics-port', '0', '--http-port', '0', '--grpc-port', '0']).metricsPort, 0);
  assert.equal(served(['--http-port', '0', '--grpc-port', '0']).httpPort, 0);
});

test('refuses a flag that is given twice and takes one value', () => {
  assert.deepEqual(problems(['--threads', '1', '--threads', '2']), [
    '--threads is given 2 times; it takes one value.',
  ]);
});

test('does not read a flag as the value of the one before it', () => {
  assert.deepEqual(problems(['--host', '--http-port']), ['The flag --host needs a value.']);
});

test('is not disturbed by what Kubernetes injects for a Service named siglip-hd', () => {
  const env = { SIGLIP_HD_SERVICE_HOST: '10.0.0.1', SIGLIP_HD_PORT: 'tcp://10.0.0.1:8080', PATH: '/bin' };
  assert.equal(served([], env).httpPort, 8080);
});

test("does not mind another command's variable, and knows none for what is only a flag", () => {
  const input = { args: ['src', '--out', 'o'], machine };
  assert.equal(parseCommand(importCommand, { ...input, env: { SIGLIPHD_HTTP_PORT: '1' } }).kind, 'run');
  assert.equal(parseCommand(importCommand, { ...input, env: { SIGLIPHD_OUT: 'x' } }).kind, 'refused');
});

test('asks for help before it complains', () => {
  assert.equal(serve(['--nonsense', '-h']).kind, 'help');
  assert.equal(serve(['--help'], { SIGLIPHD_NONSENSE: '1' }).kind, 'help');
});

test('reads the import command', () => {
  const args = ['./hf', '--out', 'models/hd', '--precision', 'fp16', '--force'];
  const parsed = parseCommand(importCommand, { args, env: {}, machine });
  assert.deepEqual(parsed, {
    kind: 'run',
    settings: {
      out: 'models/hd',
      precision: 'fp16',
      minCosine: 0.99,
      calibrates: [],
      features: undefined,
      classToken: false,
      pooled: false,
      projector: undefined,
      towerOnly: false,
      imageSize: undefined,
      resize: undefined,
      revision: undefined,
      force: true,
    },
    operands: ['./hf'],
  });
});

test('reads which hidden states an import makes', () => {
  const of = (...args: string[]) =>
    parseCommand(importCommand, { args: ['./hf', '--out', 'models/hd', ...args], env: {}, machine });
  const parsed = of('--features', '-3,penultimate', '--class-token', '--pooled');
  assert.ok(parsed.kind === 'run');
  const { features, classToken, pooled } = parsed.settings;
  assert.deepEqual([features, classToken, pooled], [['-3', 'penultimate'], true, true]);
  const refused = of('--features', 'penultimate,-2');
  assert.ok(refused.kind === 'refused');
  assert.match(
    refused.problems.join(),
    /^--features must be last_hidden_state, .*each once .*, not "penultimate,-2"\.$/,
  );
});

test('reads how an import makes views', () => {
  const of = (...args: string[]) =>
    parseCommand(importCommand, { args: ['./hf', '--out', 'models/hd', ...args], env: {}, machine });
  const parsed = of('--image-size', '518', '--resize', 'squash');
  assert.ok(parsed.kind === 'run');
  assert.deepEqual([parsed.settings.imageSize, parsed.settings.resize], [518, 'squash']);
  assert.deepEqual(of('--image-size', '0', '--resize', 'stretch'), {
    kind: 'refused',
    problems: [
      '--image-size must be a whole number from 1 to 4096, not "0".',
      '--resize must be squash or crop, not "stretch".',
    ],
  });
});

test('says that an operand and a required flag are missing', () => {
  assert.deepEqual(parseCommand(importCommand, { args: [], env: {}, machine }), {
    kind: 'refused',
    problems: ['import needs a SOURCE.', '--out is missing.'],
  });
});

test('says which flags encode has for --output, whose value may be a path or embeddings', () => {
  const input = { args: ['a.jpg', '--out', 'x', '--output', 'embeddings'], env: {}, machine };
  const parsed = parseCommand(encodeCommand, input);
  assert.equal(parsed.kind, 'refused');
  assert.deepEqual(parsed.problems, [
    'encode has no flag --output; siglip-hd encode --help lists its flags. Use --embeddings for embeddings, and --out for ' +
      'the path to write to.',
  ]);
});

test('says once that a flag does not exist, and nothing of its value', () => {
  const parsed = serve(['--dtype', 'float16']);
  assert.deepEqual(parsed.kind === 'refused' && parsed.problems, [
    'serve has no flag --dtype; siglip-hd serve --help lists its flags.',
  ]);
});

test('suggests the flag or variable that was probably meant', () => {
  assert.deepEqual(problems(['--max-queue-views', '8', '--grpc_port=1'], { SIGLIPHD_HTPT_PORT: '1' }), [
    'serve has no flag --max-queue-views; siglip-hd serve --help lists its flags. Did you mean "--max-queued-views"?',
    'serve has no flag --grpc_port; siglip-hd serve --help lists its flags. Did you mean "--grpc-port"?',
    'siglip-hd has no environment variable SIGLIPHD_HTPT_PORT. Did you mean "SIGLIPHD_HTTP_PORT"?',
  ]);
});

test('refuses an --out of encode that is named like a file of tokens', () => {
  const parsed = parseCommand(encodeCommand, { args: ['a.jpg', '--out', 'e5.npy'], env: {}, machine });
  assert.deepEqual(parsed.kind === 'refused' && parsed.problems, [
    '--out e5.npy is named like a file; give a folder, or an archive that ends in .safetensors.',
  ]);
});

test('refuses tokens that the chosen file cannot hold', () => {
  const of = (text: string) =>
    parseCommand(encodeCommand, { args: ['a.jpg', ...text.split(' ')], env: {}, machine });
  assert.equal(of('--out x --dtype bfloat16').kind, 'refused');
  assert.equal(of('--out x.safetensors --format npy').kind, 'refused');
  assert.equal(of('--out x.safetensors --dtype bfloat16').kind, 'run');
  assert.equal(of('--out x --format safetensors --dtype bfloat16').kind, 'run');
});

test('either runs or names a problem, and never throws, whatever it is given', () => {
  const flag = fc.constantFrom(
    ...Object.keys(serveCommand.settings).map((name) => `--${name}`),
    '--',
    '-x',
    '--no-host',
  );
  const word = fc.oneof(flag, fc.string(), fc.integer().map(String));
  const variables = fc.dictionary(
    fc.constantFrom(...Object.keys(serveCommand.settings).map(variableName)),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), variables, (args, env) => {
      const parsed = serve(args, env);
      if (parsed.kind === 'refused') assert.ok(parsed.problems.length > 0);
    }),
  );
});

test('reads a cosine above 0 and up to 1, and files to calibrate with for int8 alone', () => {
  const parse = (...args: string[]) =>
    parseCommand(importCommand, { args: ['a', '--out', 'b', ...args], env: {}, machine });
  const parsed = parse(
    '--precision',
    'int8',
    '--min-cosine',
    '.995',
    '--calibrate',
    'a.jpg',
    '--calibrate',
    'b.jpg',
  );
  assert.equal(parsed.kind, 'run');
  assert.equal(parsed.settings.minCosine, 0.995);
  assert.deepEqual(parsed.settings.calibrates, ['a.jpg', 'b.jpg']);
  for (const wrong of ['1.01', '-1', '0', '0.0', '1e', 'high']) {
    assert.equal(parse(`--min-cosine=${wrong}`).kind, 'refused', wrong);
  }
  const many = Array.from({ length: 65 }, () => '--calibrate=a.jpg');
  assert.equal(parse('--precision', 'int8', ...many.slice(1)).kind, 'run');
  assert.equal(parse('--precision', 'int8', ...many).kind, 'refused');
  const refused = parse('--calibrate', 'a.jpg', '--min-cosine', '0.9');
  assert.deepEqual(refused.kind === 'refused' && refused.problems, [
    '--min-cosine needs --precision int8.',
    '--calibrate needs --precision int8.',
  ]);
});

test("ignores the variables of the service's clients", () => {
  const clients = { SIGLIPHD_URL: 'grpc://tokens.example:50051', SIGLIPHD_GRPC: 'tokens.example:50051' };
  assert.equal(serve([], clients).kind, 'run');
  const args = ['a.jpg', '--out', 'o', '--model', './models/own'];
  const parsed = parseCommand(encodeCommand, { args, env: clients, machine });
  assert.deepEqual(parsed.kind === 'run' && parsed.settings.urls, []);
});

test('takes a default that is written another way for the default', () => {
  const imported = (...args: string[]) =>
    parseCommand(importCommand, { args: ['x', '--out', 'y', ...args], env: {}, machine }).kind;
  for (const text of ['0.99', '0.990', '.99', '9.9e-1']) {
    assert.equal(imported('--min-cosine', text), 'run', text);
  }
  assert.equal(imported('--min-cosine', '0.98'), 'refused');
  assert.equal(served([], { SIGLIPHD_SOCKET_MODE: '0660' }).socketMode, 0o660);
  assert.deepEqual(problems([], { SIGLIPHD_SOCKET_MODE: '0600' }), [
    '--socket-mode needs --http-socket or --grpc-socket.',
  ]);
});

test('names everything that is wrong, and nothing that only follows from it', () => {
  const refused = (...args: string[]) => {
    const parsed = parseCommand(importCommand, { args: ['x', '--out', 'y', ...args], env: {}, machine });
    return parsed.kind === 'refused' ? parsed.problems : [];
  };
  assert.deepEqual(refused('--min-cosine', '2'), [
    '--min-cosine must be a number above 0 and at most 1, not "2".',
    '--min-cosine needs --precision int8.',
  ]);
  const wrong = '--precision must be one of fp32, fp16, int8, not "int4".';
  assert.deepEqual(refused('--min-cosine', '0.9', '--precision', 'int4'), [wrong]);
});

test('every setting that needs another names one of its command, and a value that it can have', () => {
  const needs = commands.flatMap(({ name: command, settings }) =>
    Object.entries(settings).flatMap(([name, setting]) =>
      (setting.needs ?? []).map((need) => ({ where: `${command} --${name}`, settings, need })),
    ),
  );
  assert.notEqual(needs.length, 0);
  for (const { where, settings, need } of needs) {
    const [name = '', value, ...more] = need.split(' ');
    const needed = settings[name];
    assert.ok(needed !== undefined, `${where} needs --${need}`);
    if (value === undefined) continue;
    assert.ok(needed.type === 'choice' && needed.choices.includes(value), `${where} needs --${need}`);
    assert.deepEqual(more, [], where);
  }
});
