import { type ApiKey, readKeyList } from '../../transport/security/api-key.ts';
import type { Rule } from './command.ts';
import { type Reading, type Settings, type SettingValues, variableName } from './setting.ts';

/** API keys and TLS. */
export const securitySettings = {
  'api-keys-file': {
    type: 'optional',
    placeholder: 'FILE',
    description:
      'File of API keys, one NAME KEY [bulk] [weight=N] per line. Every caller then needs a key. The file is read ' +
      'again when it changes; see docs/security.md.',
  },
  'api-keys': {
    type: 'optional',
    placeholder: 'KEYS',
    variableOnly: true,
    read: readKeys,
    description:
      'API keys without a file: a comma-separated list of NAME:KEY[:bulk][:weight=N]. There is no flag for it, ' +
      'because other users of the machine can see a command line.',
  },
  'tls-cert': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['tls-key'],
    description:
      'PEM file with the certificate, followed by its intermediates. HTTP and gRPC then speak only TLS. Certificates ' +
      'and keys are read again when they change.',
  },
  'tls-key': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['tls-cert'],
    description: "PEM file with the certificate's private key, without a passphrase.",
  },
  'tls-client-ca': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['tls-cert'],
    description:
      'PEM file with the authorities that sign client certificates. Every client, probes included, must then present ' +
      'a certificate signed by one of them.',
  },
} as const satisfies Settings;

/** Rules of the security settings. */
export const securityRules: readonly Rule<SettingValues<typeof securitySettings>>[] = [
  {
    of: ['apiKeys', 'apiKeysFile'],
    problems: () => [`${variableName('api-keys')} and --api-keys-file are both set; use one of them.`],
  },
];

function readKeys(text: string): Reading<readonly ApiKey[]> {
  const reading = readKeyList(text);
  if (reading.ok) return { ok: true, value: reading.keys };
  return { ok: false, problems: reading.problems.map((each) => `is invalid: ${each}`) };
}
