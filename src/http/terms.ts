import type { FastifyRequest } from 'fastify';
import { anyone } from '../caller.ts';
import { readTerms, type RequestTerms } from '../request-terms.ts';
import type { Exchange } from './exchange.ts';

/** How a request asks to be served; its time runs from when its headers were read. */
export function termsOf({ headers }: FastifyRequest, { startedMs }: Exchange): RequestTerms {
  return readTerms(anyone, startedMs, (key) => {
    const value = headers[key];
    return Array.isArray(value) ? value.join(', ') : value;
  });
}
