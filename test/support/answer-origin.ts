import type { EncodeAnswer } from '../../src/encoding/request.ts';

/** Of an answer that a stub makes up. */
export const madeUp: Pick<EncodeAnswer, 'sources' | 'keys' | 'release'> = {
  sources: ['miss'],
  keys: [],
  release: () => undefined,
};
