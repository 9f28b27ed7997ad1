import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  readDevices,
  readHost,
  readModel,
  readModelName,
  readSocketPath,
} from '../../../src/cli/settings/readers.ts';
import { servedName } from '../../../src/model/model-source.ts';

test('reads devices', () => {
  assert.deepEqual(readDevices('cuda'), { ok: true, value: { kind: 'cuda', deviceIds: [0] } });
  assert.deepEqual(readDevices('cuda:1,cuda:3'), {
    ok: true,
    value: { kind: 'cuda', deviceIds: [1, 3] },
  });
  for (const text of ['gpu', 'cuda:', 'cuda:-1', 'cuda:1.5', 'CPU', 'cpu,cuda', 'cuda:0,', 'cuda,cuda:0'])
    assert.equal(readDevices(text).ok, false, text);
});

test('takes what stands before = as a name unless it is part of a path', () => {
  assert.deepEqual(readModel('hd=/m/a=b'), { ok: true, value: { name: 'hd', folder: '/m/a=b' } });
  assert.deepEqual(readModel('/m/v=2/hd'), { ok: true, value: { folder: '/m/v=2/hd' } });
});

test('wants a name of 64 plain characters at most', () => {
  assert.ok(readModel(`${'x'.repeat(64)}=m`).ok);
  for (const text of [`${'x'.repeat(65)}=m`, '=m', 'a b=m', 'ü=m', 'hd=']) {
    assert.equal(readModel(text).ok, false, text);
  }
});

test('wants a name for a folder whose own name cannot be one', () => {
  assert.deepEqual(readModel('./my models'), {
    ok: false,
    problems: ['needs a name for "./my models", as in NAME=FOLDER'],
  });
  assert.ok(readModel('hd=./my models').ok);
});

test('serves a model under the last part of its path', () => {
  assert.equal(servedName({ folder: '/models/hd/' }), 'hd');
  assert.equal(servedName({ name: 'x', folder: '/models/hd' }), 'x');
});

test('takes names and addresses as hosts', () => {
  for (const text of ['0.0.0.0', '::1', 'localhost', 'a-b.example']) assert.ok(readHost(text).ok, text);
  for (const text of ['http://x', 'a b']) assert.equal(readHost(text).ok, false, text);
});

test('wants the path of a socket without the unix: of its address', () => {
  assert.ok(readSocketPath('/run/http.sock').ok);
  assert.deepEqual(readSocketPath('unix:/run/http.sock'), {
    ok: false,
    problems: ['must be a path without "unix:" before it, not "unix:/run/http.sock"'],
  });
});

test('says what the name of a model must be', () => {
  assert.ok(readModelName('hd-2').ok);
  assert.deepEqual(readModelName('a/b'), {
    ok: false,
    problems: ['needs a name of 1 to 64 of A-Z a-z 0-9 . _ -, not "a/b"'],
  });
});
