import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bench } from '../../src/cli/bench.ts';
import { dispatch, type Parts } from '../../src/cli/dispatch.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import { stopSignals } from '../../src/cli/terminal.ts';
import { scratchFolder } from '../support/tiny-models.ts';
import { fakeTerminal } from './fake-terminal.ts';

const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };

const noParts: Parts = {
  version: '1.2.3',
  serve: () => assert.fail('loaded the service'),
  import: () => assert.fail('loaded the importer'),
  encode: () => assert.fail('loaded the encoder'),
  compare: () => assert.fail('loaded the comparison'),
  exportTriton: () => assert.fail('loaded the comparison'),
  bench: () => assert.fail('ran the benchmark'),
};

async function run(args: readonly string[], parts: Partial<Parts> = {}) {
  const { terminal, stdout, stderr } = fakeTerminal();
  const exitCode = await dispatch({ args, env: {}, machine }, terminal, { ...noParts, ...parts });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

function failingImport(error: unknown): Partial<Parts> {
  const importModel = async () => {
    throw error;
  };
  const fetchCheckpoint = () => assert.fail('nothing is on the hub');
  return { import: async () => ({ importModel, fetchCheckpoint, peakRssBytes: () => 0 }) };
}

test('prints help and version on stdout without loading anything', async () => {
  assert.deepEqual(await run(['--version']), { exitCode: 0, stdout: '1.2.3\n', stderr: '' });
  const program = await run(['--help']);
  assert.equal(program.exitCode, 0);
  for (const command of ['serve', 'import', 'encode', 'compare', 'export-triton', 'bench'])
    assert.ok(program.stdout.includes(`  ${command}\n`));
  const serve = await run(['serve', '--help']);
  assert.equal(serve.exitCode, 0);
  assert.match(serve.stdout, /--http-port N/);
});

test('describes a command in every way that people ask for it', async () => {
  const described = await run(['encode', '--help']);
  for (const args of [
    ['help', 'encode'],
    ['encode', '-h'],
  ])
    assert.deepEqual(await run(args), described);
  const program = await run(['--help']);
  for (const args of [['help'], ['-h'], ['help', 'help']]) assert.deepEqual(await run(args), program);
  assert.equal((await run(['help', 'encdoe'])).exitCode, 2);
});

test("warns that a client's key does not close the service, unless it has keys of its own", async (context) => {
  const scratch = scratchFolder();
  context.after(() => scratch.remove());
  const startService = async () => {
    throw new ServiceError('invalid_argument', 'There is no model.');
  };
  const parts = { ...noParts, serve: async () => ({ startService, wait: async () => {}, kill: () => {} }) };
  for (const [own, isWarned] of [
    [[], true],
    [['--api-keys-file', 'keys'], false],
  ] as const) {
    const { terminal, stdout } = fakeTerminal();
    const log = join(scratch.path, `${own.length}.log`);
    const logged = { ...terminal, stdout: Object.assign(stdout, { fd: openSync(log, 'w') }) };
    const env = { SIGLIPHD_API_KEY: 'secret' };
    await dispatch({ args: ['serve', '--log-format', 'json', ...own], env, machine }, logged, parts);
    assert.equal(readFileSync(log, 'utf8').includes('the service ignores it and asks for no key'), isWarned);
  }
});

test('exits with 2 and help on stderr when no command is named', async () => {
  const { exitCode, stdout, stderr } = await run([]);
  assert.equal(exitCode, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^Usage:/);
});

test('exits with 2 for a command that does not exist, and suggests the one that was meant', async () => {
  const { exitCode, stderr } = await run(['sevre']);
  const sentence = 'there is no command "sevre"; siglip-hd --help lists the commands.';
  assert.deepEqual([exitCode, stderr], [2, `siglip-hd: ${sentence} Did you mean "serve"?\n`]);
});

test('exits with 2 and a line for each problem, and starts nothing', async () => {
  const { exitCode, stderr } = await run(['serve', '--threads', '0', '--nonsense']);
  assert.equal(exitCode, 2);
  assert.equal(stderr.trimEnd().split('\n').length, 2);
});

test('exits with 2 and a line for each fault of the input', async () => {
  const error = new ServiceError('invalid_argument', 'A is wrong. B is wrong.', {
    sentences: ['A is wrong.', 'B is wrong.'],
  });
  const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failingImport(error));
  assert.deepEqual([exitCode, stderr], [2, 'siglip-hd: A is wrong.\nsiglip-hd: B is wrong.\n']);
});

test('exits with 2 and one line for bad input', async () => {
  const error = new ServiceError('invalid_argument', 'model.safetensors ends in the middle of a tensor.', {
    cause: new Error('not shown'),
  });
  const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failingImport(error));
  assert.deepEqual([exitCode, stderr], [2, `siglip-hd: ${error.message}\n`]);
});

test('reports paths that look like options of a request as they are, and controls escaped', async () => {
  for (const [message, line] of [
    ['/run/secrets/hf_token cannot be read.', '/run/secrets/hf_token cannot be read.'],
    ['photos/fusion=average/a.jpg is a folder.', 'photos/fusion=average/a.jpg is a folder.'],
    ['dtype=float16 is not a model folder.', 'dtype=float16 is not a model folder.'],
    ['http://a: \u001B[2Jgone\n.', 'http://a: \\u001b[2Jgone\\u000a.'],
  ] as const) {
    const failure = failingImport(new ServiceError('invalid_argument', message));
    const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failure);
    assert.deepEqual([exitCode, stderr], [2, `siglip-hd: ${line}\n`]);
  }
});

test('exits with 1 and one line for a failure', async () => {
  const error = new ServiceError('unavailable', 'Nobody is there.');
  const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failingImport(error));
  assert.deepEqual([exitCode, stderr], [1, 'siglip-hd: Nobody is there.\n']);
});

test('dies of the signal that interrupted a command, after it has said so', async () => {
  for (const signal of stopSignals) {
    const { terminal, stderr, interrupt } = fakeTerminal();
    const ended: string[] = [];
    const importModel = async ({ signal: stopping }: { readonly signal: AbortSignal }) => {
      interrupt(signal);
      return assert.fail(String(stopping.reason));
    };
    const parts = { ...noParts, ...failingImport(undefined) };
    const importing = { ...(await parts.import()), importModel };
    await dispatch(
      { args: ['import', 'test', '--out', 'b'], env: {}, machine },
      { ...terminal, exitAtOnce: (by) => ended.push(by + stderr.text) },
      { ...parts, import: async () => importing },
    );
    assert.deepEqual(ended, [`${signal}siglip-hd: Interrupted.\n`]);
  }
});

test('exits with 1 for what the input is not to blame for', async () => {
  const error = new ServiceError('failed_precondition', 'Port 8080 on :: is in use.');
  const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failingImport(error));
  assert.deepEqual([exitCode, stderr], [1, `siglip-hd: ${error.message}\n`]);
});

test("exits with 1, the path and the system's reason when the system refuses", async () => {
  const refusal = (message: string, more: object) => Object.assign(new Error(message), more);
  for (const [error, line] of [
    [
      refusal("EACCES: permission denied, open 'out/x'", { code: 'EACCES', syscall: 'open', path: 'out/x' }),
      'out/x: permission denied.',
    ],
    [
      refusal('ENOSPC: no space left on device, write', { code: 'ENOSPC', syscall: 'write' }),
      'write: no space left on device.',
    ],
  ] as const) {
    const { exitCode, stderr } = await run(['import', 'test', '--out', 'b'], failingImport(error));
    assert.deepEqual([exitCode, stderr], [1, `siglip-hd: ${line}\n`]);
  }
});

test('shows the stack of a failure that nobody foresaw', async () => {
  const { exitCode, stderr } = await run(
    ['import', 'test', '--out', 'b'],
    failingImport(new TypeError('oops')),
  );
  assert.equal(exitCode, 1);
  assert.match(stderr, /TypeError: oops\n\s+at /);
});

test('hands what follows bench to the benchmark', async () => {
  const { exitCode } = await run(['bench', '--json'], {
    bench: async (args) => {
      assert.deepEqual(args, ['--json']);
      return 1;
    },
  });
  assert.equal(exitCode, 1);
});

test('says plainly that an installed package has no benchmark', async () => {
  await assert.rejects(bench([], new URL('../commands/not-there.js', import.meta.url)), {
    code: 'failed_precondition',
    message: /npm run bench in a clone/,
  });
});
