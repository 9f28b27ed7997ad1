import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyone } from '../../src/admission/caller.ts';
import { readTerms } from '../../src/transport/request-terms.ts';
import { defaultTerms } from '../../src/admission/priority.ts';

const terms = (headers: Readonly<Record<string, string>>, caller = anyone) =>
  readTerms(caller, 1_000, (key) => headers[key]);

test('a request without terms is interactive, has no deadline and may be cached', () => {
  assert.deepEqual(terms({}), defaultTerms);
});

test('reads the priority, and counts the timeout from the start of the request', () => {
  assert.equal(terms({ priority: 'bulk' }).priority, 'bulk');
  assert.equal(terms({ 'request-timeout-ms': '250' }).deadlineAt, 1_250);
});

test("a browser's priority of responses is ignored", () => {
  for (const priority of ['u=3, i', 'u=1', 'i']) assert.equal(terms({ priority }).priority, 'interactive');
});

test('a key for bulk gets bulk, whatever priority it asks for', () => {
  const caller = { ...anyone, bulkOnly: true };
  for (const priority of ['bulk', 'interactive']) assert.equal(terms({ priority }, caller).priority, 'bulk');
  assert.equal(terms({}, caller).priority, 'bulk');
});

test('no-store and no-cache bypass the cache', () => {
  for (const header of ['no-store', 'no-cache', 'max-age=0, No-Store', 'no-cache,x'])
    assert.equal(terms({ 'cache-control': header }).noStore, true, header);
  for (const header of ['max-age=0', 'no-storeroom', ''])
    assert.equal(terms({ 'cache-control': header }).noStore, false);
});

test('refuses an invalid priority or timeout, and says what is valid', () => {
  assert.throws(() => terms({ priority: 'urgent' }), {
    code: 'invalid_argument',
    message: 'priority is "urgent"; it must be one of interactive, bulk.',
  });
  for (const value of ['0', '-1', '1.5', 'soon', '99999999999', '86400001', ''])
    assert.throws(() => terms({ 'request-timeout-ms': value }), {
      code: 'invalid_argument',
      message: /1 to 86400000/,
    });
});
