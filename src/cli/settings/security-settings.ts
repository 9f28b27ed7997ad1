import { type ApiKey, readKeyList } from '../../transport/security/api-key.ts';
import type { Rule } from './contradictions.ts';
import { type Reading, type Settings, variableName } from './setting.ts';
import { readPath } from './readers.ts';

/** Who may call the service, and by what TLS. */
export const securitySettings = {
  'api-keys-file': {
    type: 'optional',
    placeholder: 'FILE',
    read: readPath,
    description:
      'File of API keys, NAME KEY [bulk] [weight=N] a line; callers then need one. It is read again when it changes. ' +
      'docs/security.md says more.',
  },
  'api-keys': {
    type: 'optional',
    placeholder: 'KEYS',
    variableOnly: true,
    read: readKeys,
    description:
      'API keys in place of a file: NAME:KEY[:bulk][:weight=N] with commas between. It is no flag, as others may see a ' +
      'command line.',
  },
  'tls-cert': {
    type: 'optional',
    placeholder: 'FILE',
    read: readPath,
    description:
      'Certificate in PEM, followed by those between it and its root: HTTP and gRPC then speak TLS alone. Certificates ' +
      'and keys are read again when they change.',
  },
  'tls-key': {
    type: 'optional',
    placeholder: 'FILE',
    read: readPath,
    description: "The certificate's private key, in PEM, without a passphrase.",
  },
  'tls-client-ca': {
    type: 'optional',
    placeholder: 'FILE',
    read: readPath,
    description:
      'Certificates in PEM of those who sign clients: every client, probes included, must then show a certificate that one ' +
      'of them has signed.',
  },
} as const satisfies Settings;

interface SecurityValues {
  readonly apiKeysFile?: string | undefined;
  readonly apiKeys?: readonly ApiKey[] | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
}

/** What they must hold together. */
export const securityRules: readonly Rule<SecurityValues>[] = [
  {
    of: ['apiKeys', 'apiKeysFile'],
    problems: () => [`${variableName('api-keys')} and --api-keys-file both give keys; one of them must do.`],
  },
  {
    of: ['tlsCert'],
    problems: ({ tlsKey }) => (tlsKey === undefined ? ['--tls-cert needs its --tls-key.'] : []),
  },
  {
    of: ['tlsKey'],
    problems: ({ tlsCert }) => (tlsCert === undefined ? ['--tls-key needs its --tls-cert.'] : []),
  },
  {
    of: ['tlsClientCa'],
    problems: ({ tlsCert }) =>
      tlsCert === undefined ? ['--tls-client-ca is for TLS; it needs --tls-cert and --tls-key.'] : [],
  },
];

function readKeys(text: string): Reading<readonly ApiKey[]> {
  const reading = readKeyList(text);
  if (reading.ok) return { ok: true, value: reading.keys };
  return { ok: false, problem: `is no good: ${reading.problems.join('; ')}` };
}
