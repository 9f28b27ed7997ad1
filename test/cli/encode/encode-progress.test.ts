import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEncodeProgress } from '../../../src/cli/encode/encode-progress.ts';
import { fakeTerminal } from '../fake-terminal.ts';

/** Progress that is written to a file, of a run whose counts grow by `perSecond` each second. */
function progressOf(total: number) {
  const { terminal, stderr } = fakeTerminal();
  let nowMs = 0;
  const progress = openEncodeProgress({ ...terminal, now: () => nowMs });
  const counts = { encoded: 0, failed: 0, there: 0 };
  return {
    pass(seconds: number, perSecond: Partial<typeof counts>) {
      for (let second = 0; second < seconds; second += 1) {
        nowMs += 1000;
        for (const name of ['encoded', 'failed', 'there'] as const) counts[name] += perSecond[name] ?? 0;
        progress.update(counts, total);
      }
    },
    lastLine: () => stderr.text.trimEnd().split('\n').at(-1),
  };
}

test('shows the pace of encoding, whatever time the images of earlier runs took', () => {
  const resumed = progressOf(1_000_000);
  resumed.pass(600, { there: 1500 });
  resumed.pass(10, { encoded: 100 });
  assert.equal(resumed.lastLine(), 'siglip-hd: 901000 of 1000000 images, 100.0 images/s, 17 min left');
});

test('shows the pace of the last minute, also where images fail before those of earlier runs', () => {
  const resumed = progressOf(1_000_000);
  resumed.pass(1, { failed: 1 });
  resumed.pass(600, { there: 1500 });
  resumed.pass(70, { encoded: 100 });
  assert.match(resumed.lastLine() ?? '', /1 failed, 100\.0 images\/s, 16 min left$/);
});

test('shows how the pace changes, and that nothing is known before the first image', () => {
  const progress = progressOf(10_000);
  progress.pass(10, { there: 1 });
  assert.match(progress.lastLine() ?? '', / 0\.0 images\/s, unknown time left$/);
  progress.pass(70, { encoded: 10 });
  assert.match(progress.lastLine() ?? '', / 10\.0 images\/s, /);
  progress.pass(60, { encoded: 20 });
  assert.match(progress.lastLine() ?? '', / 20\.0 images\/s, /);
});
