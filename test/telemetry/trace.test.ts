import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callersTraceId } from '../../src/telemetry/trace.ts';

const id = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

test("reads the id of the caller's trace from a traceparent of any version", () => {
  for (const text of [`00-${id}-${parent}-01`, `00-${id}-${parent}-00`, `01-${id}-${parent}-01-more`]) {
    assert.equal(
      callersTraceId(() => text),
      id,
      text,
    );
  }
});

test('ignores what W3C Trace Context calls invalid', () => {
  for (const text of [
    undefined,
    '',
    `ff-${id}-${parent}-01`,
    `00-${id}-${parent}-01-more`,
    `00-${id}-${parent}-01more`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    `00-${id.toUpperCase()}-${parent}-01`,
    `00-${id}-${parent}`,
  ]) {
    assert.equal(
      callersTraceId(() => text),
      undefined,
      text,
    );
  }
});
