import { anyone, type Caller } from './caller.ts';

/** A person waits for an interactive request. Bulk requests take what interactive ones leave. */
export const priorities = ['interactive', 'bulk'] as const;
export type Priority = (typeof priorities)[number];

/** What decides a request's turn in a queue. */
export interface SchedulingClass {
  readonly caller: Caller;
  readonly priority: Priority;
}

/** How a request is served, whatever it asks for. */
export interface RequestTerms extends SchedulingClass {
  /** When its caller stops waiting, by performance.now(). The service's own limit applies as well. */
  readonly deadlineAt?: number;
  /** Whether the request bypasses the cache, does not join another request's work, and is not cached. */
  readonly noStore: boolean;
}

/** The terms of a request that sets none. */
export const defaultTerms: RequestTerms = { caller: anyone, priority: 'interactive', noStore: false };
