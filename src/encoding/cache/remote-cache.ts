import type { ImageTokens } from '../encoded-image.ts';

/** A cache that several services share. Any failure is a miss, never an error. */
export interface RemoteCache {
  /** Undefined if the tokens are missing or damaged, or do not arrive in time. */
  get(key: string): Promise<ImageTokens | undefined>;
  /** Stores the tokens in the background if it can. */
  set(key: string, image: ImageTokens): void;
  close(): Promise<void>;
}
