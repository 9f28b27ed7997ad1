import type { EncodeAnswer } from '../../encoding/request.ts';

/** Where encode writes. What it has not finished leaves nothing behind. */
export interface TokenSink {
  /** Rejects with the operating system's error. Calls for different files may overlap. */
  put(file: string, answer: EncodeAnswer): Promise<void>;
  /** Makes what was put visible, where that is not so already. */
  finish(): Promise<void>;
  /** Gives up what is not finished. */
  abandon(): Promise<void>;
}
