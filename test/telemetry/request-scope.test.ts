import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { RequestReports } from '../../src/telemetry/request-scope.ts';
import { RequestScopes } from '../../src/telemetry/request-scopes.ts';

type Observed = Parameters<RequestReports['metrics']['observeRequest']>[0];

function scopesOf() {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const observed: Observed[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    lines.push({ level, fields: { ...fields }, message });
  const scopes = new RequestScopes('http', {
    logger: { debug: at('debug'), info: at('info'), error: at('error') },
    metrics: { observeRequest: (request) => observed.push(request) },
  });
  const begin = (peer = '[::1]:9') => scopes.begin({ requestId: 'id-1', peer, readHeader: () => undefined });
  return { scopes, begin, lines, observed };
}

const wireCall = () => ({ name: 'POST /v1/encode', attributes: {} });

test('a request is logged, counted and freed once, however often it ends', () => {
  const { scopes, begin, lines, observed } = scopesOf();
  const scope = begin();
  scope.endpoint = 'encode';
  scope.caller = { name: 'team', weight: 1, bulkOnly: false };
  let freed = 0;
  scope.hold(() => freed++);
  assert.equal(scopes.underWay, 1);
  scope.end('ok', wireCall);
  scope.end('cancelled', wireCall);
  assert.deepEqual([scopes.underWay, freed, lines.length], [0, 1, 1]);
  const { transport, endpoint, code, caller } = observed[0]!;
  assert.deepEqual(
    { transport, endpoint, code, caller },
    { transport: 'http', endpoint: 'encode', code: 'ok', caller: 'team' },
  );
  assert.deepEqual([lines[0]!.fields['request_id'], lines[0]!.fields['peer']], ['id-1', '[::1]:9']);
});

test('a request whose client left is logged as cancelled, any other failure as refused', () => {
  const { begin, lines } = scopesOf();
  for (const code of ['cancelled', 'overloaded', 'ok'] as const) begin().end(code, wireCall);
  const left = begin();
  left.note(new ServiceError('cancelled', 'The client left.'));
  left.end('cancelled', wireCall);
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['cancelled', 'refused', 'answered', 'cancelled'],
  );
});

test('reports an IPv4 client by its own address, also from a socket of both families', () => {
  const { begin, lines } = scopesOf();
  for (const peer of ['[::ffff:10.0.0.1]:9', '::ffff:10.0.0.1:9', '10.0.0.1:9', '[fd00::1]:9']) {
    begin(peer).end('ok', wireCall);
  }
  assert.deepEqual(
    lines.map(({ fields }) => fields['peer']),
    ['10.0.0.1:9', '10.0.0.1:9', '10.0.0.1:9', '[fd00::1]:9'],
  );
});

test('what is held for a request that has ended is freed at once', () => {
  const scope = scopesOf().begin();
  scope.end('ok', wireCall);
  let freed = 0;
  scope.hold(() => freed++);
  assert.equal(freed, 1);
});

test('of several failures in part the log has the first, but one of the service before one of the caller', () => {
  const scope = scopesOf().begin();
  const [wrong, alsoWrong] = ['a', 'b'].map((text) => new ServiceError('invalid_argument', text));
  const broken = new ServiceError('internal', 'c');
  scope.note(wrong!);
  scope.note(alsoWrong!);
  assert.equal(scope.failure, wrong);
  scope.note(broken);
  scope.note(wrong!);
  assert.equal(scope.failure, broken);
});

test('probes are logged for debugging and not counted', () => {
  const { begin, lines, observed } = scopesOf();
  const scope = begin();
  scope.endpoint = 'readyz';
  scope.end('ok', wireCall);
  assert.deepEqual([lines[0]!.level, observed.length], ['debug', 0]);
});

test('idle() waits for every request that is under way', async () => {
  const { scopes, begin } = scopesOf();
  await scopes.idle();
  const [first, second] = [begin(), begin()];
  let isIdle = false;
  const idle = scopes.idle().then(() => {
    isIdle = true;
  });
  first.end('ok', wireCall);
  await Promise.resolve();
  assert.equal(isIdle, false);
  second.end('ok', wireCall);
  await idle;
});
