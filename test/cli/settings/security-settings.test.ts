import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandHelp } from '../../../src/cli/settings/help.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { serveCommand } from '../../../src/cli/settings/serve.ts';

const secret = 'ada-0123456789abcdef';
const machine = { cores: 8, poolThreads: 12, cacheHome: '/c', hasIpv6: true };

function serve(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return parseCommand(serveCommand, { args, env, machine });
}

function problems(args: readonly string[], env: NodeJS.ProcessEnv = {}): readonly string[] {
  const parsed = serve(args, env);
  assert.equal(parsed.kind, 'refused');
  return parsed.problems;
}

test('has neither keys nor TLS unless they are given', () => {
  const parsed = serve([]);
  assert.ok(parsed.kind === 'run');
  const { apiKeys, apiKeysFile, tlsCert, tlsKey, tlsClientCa } = parsed.settings;
  for (const each of [apiKeys, apiKeysFile, tlsCert, tlsKey, tlsClientCa]) assert.equal(each, undefined);
});

test('reads keys from the environment, and keeps their digests alone', () => {
  const parsed = serve([], { SIGLIPHD_API_KEYS: `ada:${secret},job:job-0123456789abcdef:bulk` });
  assert.ok(parsed.kind === 'run');
  assert.deepEqual(
    parsed.settings.apiKeys?.map(({ caller }) => caller),
    [
      { name: 'ada', bulkOnly: false, weight: 1 },
      { name: 'job', bulkOnly: true, weight: 1 },
    ],
  );
  assert.ok(!JSON.stringify(parsed.settings).includes(secret));
});

test('refuses what contradicts itself, all at once, a sentence each', () => {
  assert.deepEqual(
    problems(['--tls-cert', 'c', '--api-keys-file', 'k'], { SIGLIPHD_API_KEYS: `a:${secret}` }),
    ['--tls-cert needs --tls-key.', 'SIGLIPHD_API_KEYS and --api-keys-file are both set; use one of them.'],
  );
  assert.deepEqual(problems(['--tls-key', 'k', '--tls-client-ca', 'a']), [
    '--tls-key needs --tls-cert.',
    '--tls-client-ca needs --tls-cert.',
  ]);
});

test('says what is wrong with keys, a sentence each, without quoting them', () => {
  assert.deepEqual(problems([], { SIGLIPHD_API_KEYS: `a:${secret},a:short,${secret}` }), [
    'SIGLIPHD_API_KEYS is invalid: entry 2 has a key of 5 characters, fewer than 16.',
    'SIGLIPHD_API_KEYS is invalid: entry 2 repeats the name of entry 1.',
    'SIGLIPHD_API_KEYS is invalid: entry 3 has no key: write NAME:KEY.',
  ]);
});

test('takes no keys from the command line, where others may see them', () => {
  const sentence =
    'There is no flag --api-keys, because other users of the machine can see a command line; set SIGLIPHD_API_KEYS.';
  assert.deepEqual(problems(['--api-keys', `a:${secret}`]), [sentence]);
  assert.deepEqual(problems([`--api-keys=a:${secret}`]), [sentence]);
  assert.doesNotMatch(commandHelp(serveCommand), /--api-keys /);
});
