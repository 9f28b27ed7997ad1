import type { SchedulingClass } from '../admission/priority.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import type { ServiceError } from '../errors/service-error.ts';
import type { GraphOutput } from '../model/graph-io.ts';
import type { Trace } from '../telemetry/trace.ts';

/** The tokens of one view. Times are milliseconds. */
export interface ViewTokens {
  /** Those of each requested output, in a buffer of their own. */
  readonly tokens: readonly Uint8Array<ArrayBuffer>[];
  /** From joining the queue until the engine takes the view. */
  readonly queueMs: number;
  /** The engine's time for the batch. */
  readonly engineMs: number;
  readonly batchViews: number;
}

/** A view between its request and an engine's answer. */
export interface WaitingView extends SchedulingClass {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly resolve: (tokens: ViewTokens) => void;
  readonly reject: (error: ServiceError) => void;
  /** Whether the caller has its tokens or its error. */
  isSettled: boolean;
  /** The engine on which its last attempt failed or is late. */
  failedOn: string | undefined;
  readonly request: WaitingRequest;
}

/** What the views of one request share. */
interface WaitingRequest {
  readonly outputs: readonly GraphOutput[];
  readonly permit: ViewsPermit;
  readonly trace: Trace | undefined;
  /** When the views joined the queue. */
  readonly joinedAt: number;
  /** Whether nobody waits for them any more. */
  hasLeft: boolean;
}

/** Whether somebody waits for a view and it can run. A view without bytes has run already: its pixels are gone. */
export function canRun({ request, view, isSettled }: WaitingView): boolean {
  return !isSettled && !request.hasLeft && view.byteLength > 0;
}

/** The traces of the batch's requests, each once. */
export function tracesOf(batch: readonly WaitingView[]): readonly Trace[] {
  return [...new Set(batch.map(({ request }) => request.trace).filter((trace) => trace !== undefined))];
}
