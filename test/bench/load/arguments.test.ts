import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadArguments, readLoadArguments } from '../../../bench/load/arguments.ts';

function asked(...args: string[]): LoadArguments {
  const reading = readLoadArguments(args, ['overload', 'soak']);
  if (reading.kind !== 'run') return assert.fail(JSON.stringify(reading));
  return reading.asked;
}

test('names rows, and how long they run', () => {
  const { names, seconds, transports } = asked('soak', '--minutes', '10', '--transport', 'grpc');
  assert.deepEqual({ names, seconds, transports }, { names: ['soak'], seconds: 600, transports: ['grpc'] });
});

test('a target is HTTP by its scheme, and gRPC without one', () => {
  assert.deepEqual(asked('--target', 'http://host:8080').target?.place, {
    transport: 'http',
    url: 'http://host:8080',
  });
  assert.deepEqual(asked('--target', 'host:50051').target?.place, {
    transport: 'grpc',
    address: 'host:50051',
  });
});

test('a rate is an open loop, and clients are a closed one', () => {
  const target = ['--target', 'host:1', '--mix', 'encode=3,anyres', '--header', 'Priority: bulk'];
  assert.deepEqual(asked(...target, '--rate', '50').target, {
    place: { transport: 'grpc', address: 'host:1' },
    arrivals: { kind: 'poisson', perSecond: 50 },
    mix: { encode: 3, anyres: 1 },
    dtype: 'float16',
    headers: { priority: 'bulk' },
  });
  assert.deepEqual(asked(...target, '--clients', '3').target?.arrivals, { kind: 'closed', clients: 3 });
});

test('refuses what it does not know in a sentence', () => {
  for (const args of [
    ['sook'],
    ['--target', 'host:1', '--rate', 'fast'],
    ['--rate', '5'],
    ['--target', 'host:1', '--batch', '2'],
    ['--target', 'host:1', 'soak'],
    ['--batch', '0'],
    ['--batch', '1.5'],
    ['--target', 'https:'],
    ['--transport', 'smtp'],
    ['--target', 'host:1', '--mix', 'encode=0'],
    ['--target', 'host:1', '--header', 'none'],
    ['--target', 'host:1', '--dtype', 'int8'],
    ['--nonsense'],
  ]) {
    const reading = readLoadArguments(args, ['overload', 'soak']);
    assert.equal(reading.kind, 'refused', args.join(' '));
  }
});
