import type { ImageTokens } from '../encoded-image.ts';

/** A cache that several services share. Whatever goes wrong there is a miss, never an error. */
export interface RemoteCache {
  /** Undefined where it has no tokens, does not answer in time, or has damaged ones. */
  get(key: string): Promise<ImageTokens | undefined>;
  /** Keeps the tokens if it can; nobody waits for that. */
  set(key: string, image: ImageTokens): void;
  close(): Promise<void>;
}
