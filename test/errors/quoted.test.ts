import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quoted, withoutControls } from '../../src/errors/quoted.ts';

test('lets no control character of a quoted text reach a terminal', () => {
  assert.equal(quoted('a"\n\u007f\u009b31m\u00e9'), '"a\\"\\n\\u007f\\u009b31m\u00e9"');
  assert.equal(withoutControls('\u001b[0m\u0000'), '\\u001b[0m\\u0000');
});
