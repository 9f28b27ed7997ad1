import type { Budget } from '../../admission/budget.ts';
import type { RequestScopes } from '../../telemetry/request-scopes.ts';
import type { Authenticate } from '../security/authenticate.ts';
import type { GrpcLimits } from './limits.ts';

/** What all calls of a server share. */
export interface InboundSettings {
  readonly authenticate: Authenticate;
  /** Limits the bytes of request messages, until their images are encoded. */
  readonly messageBudget: Budget;
  /** Limits the calls that are open at one time. */
  readonly callBudget: Budget;
  readonly scopes: RequestScopes;
  readonly limits: Pick<GrpcLimits, 'maxRequestBytes' | 'arriveMs' | 'waitMs' | 'maxHalfSentChecks'>;
}
