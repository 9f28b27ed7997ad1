import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { TlsIdentity } from '../../../src/transport/security/tls-identity.ts';
import { tlsFixture } from '../../support/tls-fixtures.ts';

const { privateKey: lockedKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
});
const [server, serverKey, ca] = ['server.pem', 'server.key', 'ca.pem'].map(tlsFixture) as [
  Buffer,
  Buffer,
  Buffer,
];
const garbage = Buffer.concat([ca, tlsFixture('garbage.pem')]);

for (const [what, files, message] of [
  ['no certificate', [serverKey, serverKey], '--tls-cert is not a PEM certificate.'],
  ['an empty file', [Buffer.alloc(0), serverKey], '--tls-cert is not a PEM certificate.'],
  ['no key', [server, server], '--tls-key must be a PEM private key without a passphrase.'],
  [
    'a key with a passphrase',
    [server, Buffer.from(lockedKey)],
    '--tls-key must be a PEM private key without a passphrase.',
  ],
  [
    "another certificate's key",
    [server, tlsFixture('renewed.key')],
    '--tls-key does not belong to --tls-cert.',
  ],
  ['no CA', [server, serverKey, Buffer.from('x')], '--tls-client-ca is not a PEM certificate.'],
  ['garbage after a CA', [server, serverKey, garbage], '--tls-client-ca is not a PEM certificate.'],
] as const) {
  test(`refuses ${what} and keeps the current identity`, () => {
    const identity = new TlsIdentity({ requiresClientCertificate: files.length === 3 });
    identity.renew([server, serverKey, ca]);
    const { context, validTo } = identity;
    identity.onRenewed(() => assert.fail('renewed'));
    assert.throws(() => identity.renew(files), { code: 'invalid_argument', message });
    assert.equal(identity.context, context);
    assert.equal(identity.validTo, validTo);
  });
}

test('gives its servers every new certificate, for TLS 1.2 or later', () => {
  const identity = new TlsIdentity({ requiresClientCertificate: true });
  identity.renew([server, serverKey, ca]);
  const told: unknown[] = [];
  identity.onRenewed((context) => told.push(context.cert, context.minVersion));
  const renewed = tlsFixture('renewed.pem');
  identity.renew([renewed, tlsFixture('renewed.key'), Buffer.concat([ca, tlsFixture('other-ca.pem')])]);
  assert.deepEqual(told, [String(renewed), 'TLSv1.2']);
  assert.equal((identity.context.ca as string[]).length, 2);
  assert.ok(identity.validTo > new Date('2100-01-01'));
});
