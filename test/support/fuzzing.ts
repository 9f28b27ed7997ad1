import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ServiceError } from '../../src/errors/service-error.ts';

/** How often a property is tried: `usual` times, or FUZZ_RUNS where that is set. */
export function fuzzRuns(usual: number): number {
  return Number(process.env['FUZZ_RUNS'] ?? usual);
}

/** Where the cases of a property start: the same for everybody, or FUZZ_SEED where that is set. */
export const fuzzSeed = Number(process.env['FUZZ_SEED'] ?? 7);

const kinds = ['flip', 'overwrite', 'remove', 'double', 'cut'] as const;

/**
 * Changes of a file: a bit flipped, bytes overwritten, taken out or doubled, from a place given as a fraction of its length.
 * Each kind is as likely as it is frequent among `weighted`.
 */
export function mutationsOf(weighted: readonly (typeof kinds)[number][], most: number) {
  return fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      kind: fc.constantFrom(...weighted),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        fc.constantFrom(
          Uint8Array.of(0xff, 0xff, 0xff, 0xff),
          new Uint8Array(8),
          new Uint8Array(8).fill(0xff),
        ),
      ),
    }),
    { minLength: 1, maxLength: most },
  );
}

export const mutations = mutationsOf(kinds, 6);
export type Mutations = typeof mutations extends fc.Arbitrary<infer T> ? T : never;

export function mutated(file: Uint8Array, changes: Mutations): Buffer {
  let bytes = Buffer.from(file);
  for (const { at, kind, bytes: noise } of changes) {
    const start = Math.floor(at * bytes.byteLength);
    const end = Math.min(bytes.byteLength, start + noise.byteLength);
    const [before, own, after] = [bytes.subarray(0, start), bytes.subarray(start, end), bytes.subarray(end)];
    if (kind === 'flip' && start < bytes.byteLength) bytes[start]! ^= 1 << (noise[0]! & 7);
    if (kind === 'overwrite') bytes = Buffer.concat([before, noise.subarray(0, own.byteLength), after]);
    if (kind === 'remove') bytes = Buffer.concat([before, after]);
    if (kind === 'double') bytes = Buffer.concat([before, own, own, after]);
    if (kind === 'cut' && at > 0.5) bytes = before;
  }
  return bytes;
}

/** Holds that bad input was refused as such, with one line for the user. */
export function requireRefusal(error: unknown): void {
  assert.ok(error instanceof ServiceError, error instanceof Error ? error.stack : String(error));
  assert.equal(error.code, 'invalid_argument');
  assert.doesNotMatch(error.message, /\p{Cc}/u);
  assert.ok(error.message.length < 1000, error.message);
}
