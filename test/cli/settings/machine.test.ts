import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coreQuota, readMachine, readPoolThreads } from '../../../src/cli/settings/machine.ts';

test("rounds a container's CPU limit up to cores", () => {
  assert.equal(coreQuota('200000 100000\n'), 2);
  assert.equal(coreQuota('150000 100000\n'), 2);
  assert.equal(coreQuota('10000 100000\n'), 1);
  assert.equal(coreQuota('max 100000\n'), undefined);
  assert.equal(coreQuota(''), undefined);
});

test('counts the threads of the pool as libuv does', () => {
  assert.equal(readPoolThreads(undefined), 4);
  assert.equal(readPoolThreads('12'), 12);
  assert.equal(readPoolThreads('5000'), 1024);
  assert.equal(readPoolThreads('0'), 1);
  assert.equal(readPoolThreads('many'), 1);
});

test('looks for caches where XDG says if that is an absolute path, else in the home', () => {
  assert.equal(readMachine({ XDG_CACHE_HOME: '/c' }).cacheHome, '/c');
  assert.match(readMachine({ XDG_CACHE_HOME: 'c' }).cacheHome ?? '', /\.cache$/);
  assert.ok(readMachine({}).cores >= 1);
});
