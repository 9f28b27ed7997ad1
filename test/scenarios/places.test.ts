// The command in the places where people start it: under npm, without a home, with little address space, and in
// networks of one family of addresses.
import assert from 'node:assert/strict';
import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { externalTest, runProgram } from '../support/external.ts';
import { missingNamespaces, runUnshared } from '../support/namespaces.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const command = 'bin/siglip-hd.cjs';
const image = 'test/fixtures/images/rocket.jpg';
const scratch = scratchFolder();
const ports = ['--http-port=0', '--grpc-port=0'];
let serving: string[] = [];
before(async () => {
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  serving = ['serve', `--model=tiny=${folder}`, '--warm-up-ms=0', '--drain-delay-ms=0', '--log-format=json'];
});
after(() => scratch.remove());

/** A program that starts the service in a process of its own, which holds the program's stdout open as long as it lives. */
async function startService(t: TestContext, program: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const closed = once(child, 'close');
  t.after(() => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Nobody of its group is left, as it should be.
    }
  });
  const messages: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    void closed.then(() => reject(new Error(`it ended: ${messages.join(', ')}`)));
    createInterface(child.stdout).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { msg, http } = JSON.parse(line) as { msg: string; http?: string };
      messages.push(msg);
      if (msg === 'ready') resolve(http!);
    });
  });
  return { child, closed, url, messages };
}

test('SIGTERM to npx ends the service that it has started, in order', async (t) => {
  const args = ['--no-install', 'siglip-hd', ...serving, '--host=127.0.0.1', ...ports];
  const { child, closed, url, messages } = await startService(t, 'npx', args, {});
  child.kill('SIGTERM');
  await closed;
  assert.equal(messages.at(-1), 'stopped');
  await assert.rejects(fetch(`${url}/healthz`));
});

test('SIGTERM to the shell of an npm script ends the service that is the script', async (t) => {
  const line = `node ${command} ${[...serving, '--host=127.0.0.1', ...ports].join(' ')}; exit`;
  const env = {
    ...process.env,
    npm_lifecycle_script: 'NODE_ENV=production siglip-hd serve --threads 1 2>&1',
  };
  const { child, closed, messages } = await startService(t, 'sh', ['-c', line], { env });
  child.kill('SIGTERM');
  await closed;
  assert.equal(messages.at(-1), 'stopped');
});

for (const launcher of ['nohup', 'setsid', '']) {
  test(`a service that an npm script puts in the background outlives it: "${launcher}"`, async (t) => {
    const started = `${launcher} node ${command} ${[...serving, '--host=127.0.0.1', ...ports].join(' ')}`;
    const script = `${started} & echo "{\\"msg\\":\\"$!\\"}"; read line`;
    const env = { ...process.env, npm_lifecycle_script: script };
    const { child, closed, url, messages } = await startService(t, 'sh', ['-c', script], { env });
    child.stdin.end();
    await once(child, 'exit');
    // Four times as long as it takes to notice that the parent has gone.
    await wait(1000);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    process.kill(Number(messages[0]), 'SIGTERM');
    await closed;
    assert.equal(messages.at(-1), 'stopped');
  });
}

const userFlags = ['--user', '--map-user=12345'];
const missingUser = async () => {
  const { exitCode, stderr } = await runProgram('unshare', [...userFlags, 'true']);
  return exitCode === 0 ? undefined : `unshare ${userFlags.join(' ')} does not work here: ${stderr.trim()}`;
};

/** Runs the command as a user id that has neither a name nor a home, as OpenShift does. */
function runHomeless(...args: readonly string[]) {
  const clean = ['env', '-i', `PATH=${process.env['PATH']}`, process.execPath, command];
  return runProgram('unshare', [...userFlags, ...clean, ...args]);
}

externalTest('a user without a name and a home imports, and encodes', missingUser, async () => {
  const folder = join(scratch.path, 'homeless');
  const imported = await runHomeless('import', 'test/fixtures/siglip-tiny', '--out', folder);
  assert.deepEqual([imported.exitCode, imported.stderr], [0, '']);
  const tokens = join(scratch.path, 'tokens');
  const encoded = await runHomeless('encode', image, '--model', folder, '--out', tokens, '--warm-up-ms=0');
  assert.deepEqual([encoded.exitCode, encoded.stderr], [0, '']);
});

externalTest(
  'only the embedded models need a home, and says what to do without one',
  missingUser,
  async () => {
    const tokens = join(scratch.path, 'default-tokens');
    const refused = await runHomeless('encode', image, '--out', tokens, '--warm-up-ms=0');
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /^siglip-hd: There is no home .*--cache-dir, .*--model\.\n$/);
    const cache = join(scratch.path, 'cache');
    mkdirSync(cache);
    const given = await runHomeless('encode', image, '--out', tokens, '--warm-up-ms=0', '--cache-dir', cache);
    assert.equal(given.exitCode, 0, given.stderr);
  },
);

const missingLimit = async () =>
  process.platform === 'linux' ? undefined : 'only Linux limits the address space';

/** Encodes a picture under `ulimit -v`, in KiB. */
function encodeWithin(limitKib: number, options: string, ...flags: readonly string[]) {
  const args = [
    'encode',
    image,
    serving[1],
    '--warm-up-ms=0',
    `--out=${join(scratch.path, 'limited')}`,
    ...flags,
  ];
  const line = `ulimit -v ${limitKib}; exec ${process.execPath} ${command} ${args.join(' ')}`;
  return runProgram('sh', ['-c', line], { NODE_OPTIONS: options });
}

externalTest(
  'a limit of the address space is refused with what to do, which works',
  missingLimit,
  async () => {
    const refused = await encodeWithin(30_000_000, '', '--view-threads=4');
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stderr,
      /^siglip-hd: The address space is limited to 28\.6 GiB \(ulimit -v\), and 7 threads need .*NODE_OPTIONS=--disable-wasm-trap-handler/,
    );
    const advised = await encodeWithin(8_000_000, '--disable-wasm-trap-handler', '--view-threads=1');
    assert.deepEqual([advised.exitCode, advised.stderr], [0, '']);
    const tight = await encodeWithin(2_500_000, '--disable-wasm-trap-handler', '--view-threads=1');
    assert.equal(tight.exitCode, 1);
    assert.match(tight.stderr, /^siglip-hd: .* beside the models\. Raise the limit\.\n$/);
  },
);

const networkFlags = '-rn';
const missingNetworks = async () =>
  (await missingNamespaces(networkFlags)) ??
  ((await runProgram('ip', ['-V'])).exitCode === 0 ? undefined : 'there is no ip, of iproute2');

const networks = [
  {
    title: 'IPv6 alone, as the kubelet asks a pod there',
    setUp: 'ip link set lo up; ip addr add fd00::2/128 dev lo',
    hosts: ['[fd00::2]', '[::1]'],
  },
  {
    title: 'both families',
    setUp: 'ip link set lo up; ip addr add fd00::2/128 dev lo; ip addr add 10.0.0.2/32 dev lo',
    hosts: ['[fd00::2]', '10.0.0.2', '127.0.0.1'],
  },
  {
    title: 'IPv4 alone',
    setUp:
      'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up; ip addr add 10.0.0.2/32 dev lo',
    hosts: ['10.0.0.2', '127.0.0.1'],
  },
];
for (const { title, setUp, hosts } of networks) {
  externalTest(`by default it listens in a network of ${title}`, missingNetworks, async () => {
    const addresses = hosts.flatMap((host) => [
      `http://${host}:8080`,
      `${host}:50051`,
      `http://${host}:9464`,
    ]);
    const script = [
      setUp,
      `${process.execPath} ${command} ${serving.join(' ')} --metrics-port=9464 & service=$!`,
      `${process.execPath} build/test/support/listening.js ${addresses.join(' ')} && ${process.execPath} bin/health.cjs &&`,
      `  SIGLIPHD_HOST=${hosts[0]!.replaceAll(/[[\]]/g, '')} ${process.execPath} bin/health.cjs`,
      'asked=$?; kill -INT $service; wait $service && exit $asked',
    ].join('\n');
    const { exitCode, stdout, stderr } = await runUnshared(networkFlags, script);
    assert.equal(exitCode, 0, stdout + stderr);
  });
}

test('a checkout without its dependencies asks for npm ci, compiled or not', async () => {
  const bare = join(scratch.path, 'bare');
  for (const folder of ['bin', 'scripts']) await cp(folder, join(bare, folder), { recursive: true });
  for (const script of [command, 'scripts/build.js']) {
    const { exitCode, stderr } = await runProgram(process.execPath, [join(bare, script), '--version']);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /^(?:siglip-hd: )?The dependencies are not installed: run npm ci in \S+bare\/?\.\n$/,
    );
  }
});
