import type { Metadata } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import { readTerms } from '../request-terms.ts';
import { type RequestTerms } from '../../admission/priority.ts';

/** What is used of a grpc-js call. */
export interface DescribedCall {
  readonly metadata: Metadata;
  getDeadline(): Date | number;
}

/** How a call of this caller asks to be served: by its metadata and its deadline. Throws as readTerms does. */
export function callTerms(call: DescribedCall, caller: Caller): RequestTerms {
  const now = performance.now();
  const terms = readTerms(caller, now, (key) => {
    const values = call.metadata.get(key);
    return values.length === 0 ? undefined : values.join(', ');
  });
  const deadlineAt = now + Number(call.getDeadline()) - Date.now();
  return { ...terms, deadlineAt: Math.min(deadlineAt, terms.deadlineAt ?? deadlineAt) };
}
