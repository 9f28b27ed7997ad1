export interface ReadingPace {
  /** How long a client may take to read an answer of any length. */
  readonly graceMs: number;
  /** The slowest that it may read beyond that. */
  readonly bytesPerSecond: number;
}

/**
 * Calls `onLate` after the time that a client has to read an answer of `sizeBytes`: the grace, and the time at the slowest
 * pace. With an idle timeout, a client that reads a byte now and then could hold its tokens forever. Call the returned
 * function when the answer has been read or the client has left.
 */
export function limitReading(
  sizeBytes: number,
  { graceMs, bytesPerSecond }: ReadingPace,
  onLate: () => void,
): () => void {
  const timer = setTimeout(onLate, Math.ceil(graceMs + (sizeBytes / bytesPerSecond) * 1000));
  return () => clearTimeout(timer);
}
