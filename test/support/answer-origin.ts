import type { EncodeAnswer } from '../../src/request.ts';

/** Of an answer that a stub makes up. */
export const madeUp: Pick<EncodeAnswer, 'sources' | 'keys' | 'release'> = {
  sources: ['miss'],
  keys: [],
  release: () => undefined,
};
