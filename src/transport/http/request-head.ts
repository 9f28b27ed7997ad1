import type { FastifyRequest } from 'fastify';
import type { RequestTerms } from '../../admission/priority.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { readTerms } from '../request-terms.ts';
import type { Credentials } from '../security/authenticate.ts';

/** The query, with one value for each name. Throws `invalid_argument` if a name occurs twice. */
export function singleValues(query: unknown): Record<string, string> {
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    if (typeof value === 'string') continue;
    const given = JSON.stringify(name.slice(0, 64));
    throw new ServiceError('invalid_argument', `The option ${given} is given more than once.`);
  }
  return query as Record<string, string>;
}

/** The terms of a request. Its timeout counts from when its headers were read. */
export function termsOf({ headers, scope }: FastifyRequest): RequestTerms {
  return readTerms(scope.caller, scope.startedMs, (key) => headers[key]?.toString());
}

/** The API key that a request presents. Node joins a header that is sent twice; the result is no valid key. */
export function credentialsOf({ headers }: FastifyRequest): Credentials {
  const { authorization, 'x-api-key': key } = headers;
  return { authorization, 'x-api-key': key?.toString() };
}
