import { requestOptions } from '../../transport/request-options.ts';

/** Options of a request that are flags of the same name and value; `output` is two flags without one. */
const names = Object.values(requestOptions)
  .flat()
  .map(({ name }) => name)
  .filter((name) => name !== 'output');
const anyName = [...new Set(names)].join('|');
const assignment = new RegExp(String.raw`\b(${anyName})=([\w-]+(?:,[\w-]+)*)`, 'g');
const mention = new RegExp(
  String.raw`\b(?<=^Option |\bleave )(${anyName})(?= is | out\b)|\b[a-z]+_(?:order|token)\b`,
  'g',
);

/**
 * A sentence of the service's about the options of a request, in the flags of the command line: `--pooled` for `output=pooled`,
 * and `--class-token` for `class_token`.
 */
export function inFlags(sentence: string): string {
  const [, output = 'embeddings'] = /\boutput=(embeddings|pooled)\b/.exec(sentence) ?? [];
  return sentence
    .replaceAll(/\b(?:use )?output=features\b/g, `leave --${output} out`)
    .replaceAll(/\boutput=(embeddings|pooled)\b/g, '--$1')
    .replaceAll(/\buse encode\b/g, 'use --recipe encode')
    .replaceAll(assignment, (_, name: string, value: string) => `${flag(name)} ${value}`)
    .replaceAll(mention, flag)
    .replace(/^Option --/, '--');
}

function flag(name: string): string {
  return `--${name.replaceAll('_', '-')}`;
}
