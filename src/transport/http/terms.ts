import type { FastifyRequest } from 'fastify';
import { readTerms } from '../request-terms.ts';
import { type RequestTerms } from '../../admission/priority.ts';
import type { Exchange } from './answer-writer.ts';

/** How a request asks to be served; its time runs from when its headers were read. */
export function termsOf({ headers }: FastifyRequest, { startedMs, caller }: Exchange): RequestTerms {
  return readTerms(caller, startedMs, (key) => {
    const value = headers[key];
    return Array.isArray(value) ? value.join(', ') : value;
  });
}
