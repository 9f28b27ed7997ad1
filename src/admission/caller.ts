/** Who asks: the holder of an API key, or, where the service has none, everybody. */
export interface Caller {
  /** The key's name; absent where the service has no keys. */
  readonly name?: string;
  /** Its share of the service against that of other callers, above 0. */
  readonly weight: number;
  /** Whether it may ask for nothing better than bulk. */
  readonly bulkOnly: boolean;
}

/** Everybody, where the service has no keys. */
export const anyone: Caller = { weight: 1, bulkOnly: false };
