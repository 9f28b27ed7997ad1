import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readKeyList } from '../../../src/transport/security/api-key.ts';
import { allowAnonymous } from '../../../src/transport/security/authenticate.ts';
import { Access } from '../../../src/transport/security/access.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { handTicker, keptLog } from '../../support/hand-ticker.ts';
import { scratchFolder } from '../../support/tiny-models.ts';
import { tlsFixture, tlsFixturePath } from '../../support/tls-fixtures.ts';

const tlsFiles = { tlsCert: tlsFixturePath('server.pem'), tlsKey: tlsFixturePath('server.key') };

test('accepts anyone over plaintext when nothing is configured', async () => {
  const access = await Access.open({}, keptLog().logger, handTicker().ticker);
  assert.equal(access.authenticate, allowAnonymous);
  assert.equal(access.tls, undefined);
});

test('accepts keys from the environment', async () => {
  const reading = readKeyList('ada:ada-0123456789abcdef:weight=2');
  assert.ok(reading.ok);
  const access = await Access.open({ apiKeys: reading.keys }, keptLog().logger, handTicker().ticker);
  const credentials = { authorization: undefined, 'x-api-key': 'ada-0123456789abcdef' };
  assert.deepEqual(access.authenticate(credentials), { name: 'ada', bulkOnly: false, weight: 2 });
});

test('reloads all files until it is closed, and none when it cannot be opened', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const apiKeysFile = join(scratch.path, 'keys');
  writeFileSync(apiKeysFile, 'ada ada-0123456789abcdef');
  const { ticker, looks } = handTicker();
  const { logger } = keptLog();
  const access = await Access.open({ apiKeysFile, ...tlsFiles }, logger, ticker);
  assert.equal(looks.size, 2);
  access.close();
  assert.equal(looks.size, 0);
  const wrongKey = { ...tlsFiles, tlsKey: tlsFixturePath('client.key') };
  await assert.rejects(Access.open({ apiKeysFile, ...wrongKey }, logger, ticker), {
    code: 'invalid_argument',
    message: '--tls-key does not belong to --tls-cert.',
  });
  assert.equal(looks.size, 0);
});

test('reports the faults of all files at once', async () => {
  const files = { apiKeysFile: '/nowhere/keys', tlsCert: '/nowhere/cert', tlsKey: '/nowhere/key' };
  const { ticker, looks } = handTicker();
  await assert.rejects(Access.open(files, keptLog().logger, ticker), {
    code: 'invalid_argument',
    message: /^--api-keys-file .*keys .*\. --tls-cert .*cert .*\. --tls-key .*key .*\.$/,
  });
  assert.equal(looks.size, 0);
});

test('reports each fault of a file of keys in a sentence of its own', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const apiKeysFile = join(scratch.path, 'keys');
  const sentences = async (text: string) => {
    writeFileSync(apiKeysFile, text);
    const opening = Access.open({ apiKeysFile }, keptLog().logger, handTicker().ticker);
    const thrown = await opening.catch((error: unknown) => error);
    assert.ok(thrown instanceof ServiceError);
    assert.equal(thrown.code, 'invalid_argument');
    return thrown.sentences?.map((sentence) => sentence.replace(apiKeysFile, 'keys'));
  };
  assert.deepEqual(await sentences('ada short\nbob'), [
    '--api-keys-file keys is invalid: line 1 has a key of 5 characters, fewer than 16.',
    '--api-keys-file keys is invalid: line 2 has no key: write NAME KEY.',
  ]);
});

test('logs when the certificate expires, and warns of an expired one', async (t) => {
  const { validTo } = new X509Certificate(tlsFixture('server.pem'));
  const { logger, lines } = keptLog();
  await Access.open(tlsFiles, logger, handTicker().ticker);
  t.mock.timers.enable({ apis: ['Date'], now: new Date('2999-01-01') });
  await Access.open(tlsFiles, logger, handTicker().ticker);
  const fields = { valid_to: new Date(validTo).toISOString() };
  const open = {
    level: 'info',
    fields: {},
    message: 'there are no API keys: everyone who can reach the service may use it',
  };
  assert.deepEqual(lines, [
    open,
    { level: 'info', fields, message: 'the TLS certificate is in use' },
    open,
    { level: 'warn', fields, message: 'the TLS certificate has expired' },
  ]);
});
