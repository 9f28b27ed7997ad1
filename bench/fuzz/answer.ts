/** How a case ended. */
export interface Answer {
  /** A status of HTTP or gRPC with the contract's code, `closed` by the service, or `hang`. */
  readonly ending: string;
  readonly ms: number;
  /** What of the answer cannot be, whatever was sent. */
  readonly wrong?: string;
}

/** How long a case may take before it counts as hanging, in milliseconds. */
export const hangMs = 30_000;
