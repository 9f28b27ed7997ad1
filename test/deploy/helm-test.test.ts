import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { type ServiceConfig, startService } from '../../src/service.ts';
import { externalTest, type Finished, runProgram } from '../support/external.ts';
import { chart, missingHelm, render } from '../support/helm.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { tlsFixturePath } from '../support/tls-fixtures.ts';

const script = readFileSync(join(chart, 'files/encode-a-picture.js'), 'utf8');
const key = 'ada-0123456789abcdef';
const tls = { tlsCert: tlsFixturePath('server.pem'), tlsKey: tlsFixturePath('server.key') };
const trusting = { SERVER_NAME: 'localhost', CA_FILE: tlsFixturePath('ca.pem') };
const gaveTokens = /^hd gave \[1024, 32\] in float16$/m;

const scratch = scratchFolder();
let folder = '';
before(async () => {
  folder = await importFixture(scratch.path, 'siglip-tiny');
});
after(() => scratch.remove());

/** Runs what the test's pod runs, as it runs it, against a service with a model. */
async function encodeAPicture(
  t: TestContext,
  config: Partial<ServiceConfig>,
  environment: Record<string, string> = {},
): Promise<Finished> {
  const models = [{ name: 'hd', folder }];
  const service = await startService(
    serviceConfig({ models, ...config }),
    pino({ level: 'silent' }),
    () => {},
  );
  t.after(() => service.close());
  const scheme = config.tlsCert === undefined ? 'http' : 'https';
  return await runProgram(process.execPath, ['--input-type=module', '--eval', script], {
    URL: `${scheme}://127.0.0.1:${service.httpPort}`,
    ...environment,
  });
}

function keys() {
  const reading = readKeyList(`ada:${key}`);
  assert.ok(reading.ok);
  return { apiKeys: reading.keys };
}

test('helm test encodes a picture', async (t) => {
  const { stdout, stderr } = await encodeAPicture(t, {});
  assert.match(stdout, gaveTokens, stderr);
});

test('helm test encodes with its key, and tests that one is asked for where it has none', async (t) => {
  const withKey = await encodeAPicture(t, keys(), { ASKS_FOR_KEYS: 'true', API_KEY: key });
  assert.match(withKey.stdout, gaveTokens, withKey.stderr);
  const without = await encodeAPicture(t, keys(), { ASKS_FOR_KEYS: 'true' });
  assert.match(without.stdout, /^asks for a key/m, without.stderr);
  const open = await encodeAPicture(t, {}, { ASKS_FOR_KEYS: 'true' });
  assert.equal(open.exitCode, 1);
  assert.match(open.stderr, /asked for no key: 200/);
});

test('helm test fails where its key is wrong', async (t) => {
  const { exitCode, stderr } = await encodeAPicture(t, keys(), { ASKS_FOR_KEYS: 'true', API_KEY: 'wrong' });
  assert.equal(exitCode, 1);
  assert.match(stderr, /401 .*unauthenticated/);
});

test('helm test encodes over TLS, with the name that the certificate has and no other', async (t) => {
  const { stdout, stderr } = await encodeAPicture(t, tls, trusting);
  assert.match(stdout, gaveTokens, stderr);
  const other = await encodeAPicture(t, tls, { ...trusting, SERVER_NAME: 'tokens.example' });
  assert.equal(other.exitCode, 1);
  assert.match(other.stderr, /ERR_TLS_CERT_ALTNAME_INVALID/);
});

test('helm test shows its certificate where clients need one', async (t) => {
  const secret = join(scratch.path, 'client');
  await mkdir(secret);
  await copyFile(tlsFixturePath('client.pem'), join(secret, 'tls.crt'));
  await copyFile(tlsFixturePath('client.key'), join(secret, 'tls.key'));
  const config = { ...tls, tlsClientCa: tlsFixturePath('ca.pem') };
  const { stdout, stderr } = await encodeAPicture(t, config, { ...trusting, CLIENT_FOLDER: secret });
  assert.match(stdout, gaveTokens, stderr);
});

externalTest('helm test runs that script, with what it needs of the values', missingHelm, async () => {
  const pod = async (...args: string[]) => {
    const objects = await render(...args);
    const found = objects.find(({ kind }) => kind === 'Pod');
    if (found === undefined) return undefined;
    const spec = found['spec'] as { containers: { command: string[]; env: { name: string }[] }[] };
    return { command: spec.containers[0]!.command, env: spec.containers[0]!.env.map(({ name }) => name) };
  };
  const plain = await pod();
  assert.deepEqual(plain!.command.slice(0, 3), ['node', '--input-type=module', '--eval']);
  assert.equal(plain!.command[3]!.trim(), script.trim());
  assert.deepEqual(plain!.env, ['URL']);
  const everything = await pod('-f', join(chart, 'ci/everything-values.yaml'));
  const expected = ['URL', 'ASKS_FOR_KEYS', 'API_KEY', 'SERVER_NAME', 'CA_FILE', 'CLIENT_FOLDER'];
  assert.deepEqual(everything!.env, expected);
  assert.equal(await pod('--set', 'tls.secret=a,tls.clientCaSecret=b'), undefined);
});
