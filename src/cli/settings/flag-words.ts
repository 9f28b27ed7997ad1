import { ServiceError } from '../../errors/service-error.ts';
import { requestOptions } from '../../transport/request-options.ts';
import { flagName } from './setting.ts';

/** Options of a request that are flags of the same name and value; `output` is two flags without one. */
const names = Object.values(requestOptions)
  .flat()
  .map(({ name }) => name)
  .filter((name) => name !== 'output');
const anyName = [...new Set(names)].join('|');
// Words of their own: a name in quotes or a part of a path is none.
const assignment = new RegExp(String.raw`(?<!\S)(${anyName})=([\w-]+(?:,[\w-]+)*)`, 'g');
const mention = new RegExp(
  String.raw`(?<=^Option |^|\b[Ll]eave )(${anyName})(?= is "| only appl| out\b)`,
  'g',
);

/** What `validate` returns. Where it refuses a request, the error names the options as flags of the command line. */
export function refusedInFlags<T>(validate: () => T): T {
  try {
    return validate();
  } catch (error) {
    throw error instanceof ServiceError ? error.withMessage(inFlags(error.message)) : error;
  }
}

/**
 * A sentence that refuses a request, with flags of the command line for its options: `--pooled` for `output=pooled`, and
 * `--class-token` for `class_token`.
 */
export function inFlags(sentence: string): string {
  const [, output = 'embeddings'] = /(?<!\S)output=(embeddings|pooled)\b/.exec(sentence) ?? [];
  return sentence
    .replaceAll(/(?<!\S)(?:use )?output=features\b/g, `leave --${output} out`)
    .replaceAll(/(?<!\S)output=(embeddings|pooled)\b/g, '--$1')
    .replaceAll(/\buse encode\b/g, 'use --recipe encode')
    .replaceAll(assignment, (_, name: string, value: string) => `${flagName(name)} ${value}`)
    .replaceAll(mention, flagName)
    .replace(/^Option --/, '--');
}
