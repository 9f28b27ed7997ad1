/** Whom a request comes from, as far as an API key tells. */
export interface Caller {
  /** The name of its key: in logs and metrics. Undefined where the service has no keys. */
  readonly name: string | undefined;
  /** Whether whatever it asks for is at most bulk. */
  readonly bulkOnly: boolean;
  /** Its share of the service beside other callers. */
  readonly weight: number;
}

/** The one caller that there is where the service has no keys. */
export const anyone: Caller = Object.freeze({ name: undefined, bulkOnly: false, weight: 1 });
