import type { EncodeAnswer } from '../../src/encoding/request.ts';

/** Of an answer that a stub makes up. */
export const madeUp: Pick<EncodeAnswer, 'sources' | 'uuids' | 'keys' | 'release'> = {
  sources: ['miss'],
  uuids: ['7e'.repeat(32)],
  keys: [],
  release: () => undefined,
};
