import { anyone, type Caller } from './caller.ts';

/** Somebody waits for an interactive request; bulk takes what interactive leaves. */
export const priorities = ['interactive', 'bulk'] as const;
export type Priority = (typeof priorities)[number];

/** Where a request stands in a queue. */
export interface SchedulingClass {
  readonly caller: Caller;
  readonly priority: Priority;
}

/** How a request is served, whatever it asks for. */
export interface RequestTerms extends SchedulingClass {
  /** Until when its caller waits, by performance.now(); the service's own limit holds as well. */
  readonly deadlineAt?: number;
  /** Neither answered from the cache, nor joined to another's work, nor kept. */
  readonly noStore: boolean;
}

/** Those of a request that says nothing. */
export const defaultTerms: RequestTerms = { caller: anyone, priority: 'interactive', noStore: false };
