import type { EncodedImage } from '../encoded-image.ts';

/** Tokens that several services share. Whatever goes wrong there is a miss, never an error. */
export interface SecondLevel {
  /** Undefined where it has none, does not answer in time, or gives what is damaged. */
  get(key: string): Promise<EncodedImage | undefined>;
  /** Keeps it, in time or not at all; nobody waits. */
  set(key: string, image: EncodedImage): void;
  close(): Promise<void>;
}
