import type { EncodeAnswer } from '../../encoding/request.ts';

/** Writes the tokens of files. Unfinished output leaves nothing behind. */
export interface TokenSink {
  /** Rejects with the operating system's error. Calls for different files may overlap. */
  put(file: string, answer: EncodeAnswer): Promise<void>;
  /** Publishes what was put, unless it is public already. */
  finish(): Promise<void>;
  /** Discards what is not published. */
  abandon(): Promise<void>;
}
