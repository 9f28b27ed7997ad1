import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FuzzCase } from '../../../bench/fuzz/case.ts';
import { wrongDetail, wrongProblem } from '../../../bench/fuzz/send-http.ts';
import { goAway } from '../../../bench/fuzz/send-raw.ts';
import { logFault } from '../../../bench/fuzz/service-log.ts';
import { faultOf } from '../../../bench/fuzz/verdict.ts';

const body = Buffer.alloc(0);
const http: FuzzCase = { number: 0, what: '', kind: 'http', method: 'POST', path: '/', headers: {}, body };
const frames: FuzzCase = { number: 0, what: '', kind: 'frames', headers: {}, bytes: body, reset: false };
const raw: FuzzCase = { number: 0, what: '', kind: 'raw', port: 'grpc', bytes: body, end: 'end' };

test('takes the statuses of the contract for no fault, and 5xx, hangs and silence for one', () => {
  const fault = (ending: string) => faultOf(http, { ending, ms: 1 });
  assert.equal(fault('http 200'), undefined);
  assert.equal(fault('http 400 invalid_argument'), undefined);
  for (const ending of [
    'http 500 internal',
    'http 503 unavailable',
    'http 429 overloaded',
    'hang',
    'closed',
  ]) {
    assert.ok(fault(ending), ending);
  }
});

test('takes a missed deadline for a fault unless the caller gave one', () => {
  const answer = { ending: 'http 504 deadline_exceeded', ms: 1 };
  assert.ok(faultOf(http, answer));
  assert.equal(faultOf({ ...http, headers: { 'request-timeout-ms': '1' } }, answer), undefined);
});

test('takes INTERNAL for a fault, but to a grpc-timeout that is none', () => {
  const fault = (time: string) =>
    faultOf({ ...frames, headers: { 'grpc-timeout': time } }, { ending: 'grpc 13', ms: 1 });
  assert.ok(faultOf(frames, { ending: 'grpc 13', ms: 1 }));
  assert.ok(fault('5S'));
  assert.equal(fault(''), undefined);
});

test('takes a connection that is kept after an error for a fault where Node closes it, and not one that waits for the rest', () => {
  assert.equal(faultOf(raw, { ending: 'held', ms: 1 }, true), undefined);
  assert.match(faultOf(raw, { ending: 'held goaway 1', ms: 1 }, true) ?? '', /keeps the connection/);
  assert.equal(faultOf(raw, { ending: 'held goaway 1', ms: 1 }, false), undefined);
});

test("reads an error from HTTP/2's GOAWAY, whatever frames come before", () => {
  const settings = Buffer.from('000006040000000000000300000064', 'hex');
  const goaway = (error: number) => Buffer.from(`000008070000000000000000010000000${error}`, 'hex');
  assert.equal(goAway(Buffer.concat([settings, goaway(1)])), 'goaway 1');
  assert.equal(goAway(Buffer.concat([settings, goaway(0)])), undefined);
  assert.equal(goAway(settings), undefined);
});

test('takes what native code writes into the log, and errors, for faults of the case that they name', () => {
  assert.deepEqual(logFault('{"level":"warn","msg":"x"}'), undefined);
  assert.deepEqual(logFault('(node:1): VIPS-WARNING **: x'), undefined);
  const critical = '(process:1): GLib-GObject-CRITICAL **: x';
  assert.deepEqual(logFault(critical), { line: critical });
  const error = '{"level":"error","request_id":"fuzz-12"}';
  assert.deepEqual(logFault(error), { line: error, number: 12 });
});

test('holds problems to their type, their status and a sentence without the inside of the service', () => {
  const type = 'application/problem+json';
  const problem = (status: number, code: string) => JSON.stringify({ status, code, detail: 'No.' });
  assert.equal(wrongProblem(400, type, problem(400, 'invalid_argument')), undefined);
  assert.ok(wrongProblem(400, 'text/html', problem(400, 'invalid_argument')));
  assert.ok(wrongProblem(400, type, problem(404, 'not_found')));
  assert.ok(wrongProblem(400, type, problem(400, 'constructor')));
  assert.ok(wrongProblem(400, type, '{'));
  assert.ok(wrongDetail('Error: x\n    at f (file:///app/a.js:1:1)'));
});
