export interface ReadingPace {
  /** How long a client may take whatever the answer's length, in milliseconds. */
  readonly graceMs: number;
  /** The slowest that it may read beside that. */
  readonly bytesPerSecond: number;
}

/**
 * Calls `onLate` unless the client has read an answer of `sizeBytes` in time: the grace and what the slowest pace
 * takes. An idle timeout alone lets a client that reads a byte now and then hold its tokens for ever. Gives what
 * ends the wait, to be called when the answer has been read or its client has gone.
 */
export function limitReading(
  sizeBytes: number,
  { graceMs, bytesPerSecond }: ReadingPace,
  onLate: () => void,
): () => void {
  const timer = setTimeout(onLate, graceMs + (sizeBytes / bytesPerSecond) * 1000);
  return () => clearTimeout(timer);
}
