/** The holder of an API key, or anyone at all where the service has no keys. */
export interface Caller {
  /** The key's name. Absent where the service has no keys. */
  readonly name?: string;
  /** Its share of the service in proportion to other callers' weights. Above 0. */
  readonly weight: number;
  /** Whether all its requests are bulk, whatever priority they ask for. */
  readonly bulkOnly: boolean;
}

/** The only caller of a service without keys. */
export const anyone: Caller = { weight: 1, bulkOnly: false };
