import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { remoteConfig } from '../../../src/cli/settings/remote-settings.ts';
import { serveCommand } from '../../../src/cli/settings/serve.ts';

const machine = { cores: 4, poolThreads: 8, cacheHome: '/c', hasIpv6: true };
const parse = (args: string[], env: Record<string, string> = {}) =>
  parseCommand(serveCommand, { args, env, machine });

function refusal(...args: string[]): string {
  const outcome = parse(args);
  return outcome.kind === 'refused' ? outcome.problems.join('\n') : assert.fail(outcome.kind);
}

test('remote engines belong to the model that they name, or to the only one', () => {
  const outcomes = [
    parse(['--model', 'hd=/m', '--remote-engine', 'grpc://a:1', '--remote-engine', 'hd=grpcs://b:2/other']),
    parse([], { SIGLIPHD_MODEL: 'hd=/m', SIGLIPHD_REMOTE_ENGINE: 'grpc://a:1,hd=grpcs://b:2/other' }),
  ];
  for (const outcome of outcomes) {
    assert.equal(outcome.kind, 'run');
    if (outcome.kind !== 'run') continue;
    assert.deepEqual(remoteConfig(outcome.settings).engines, [
      { model: 'hd', endpoint: { host: 'a', port: 1, secure: false } },
      { model: 'hd', endpoint: { host: 'b', port: 2, secure: true, model: 'other' } },
    ]);
  }
});

test('says what is wrong with remote engines', () => {
  assert.match(refusal('--remote-engine', 'grpc://a:1'), /--remote-engine needs --model/);
  assert.match(
    refusal('--model', 'hd=/m', '--remote-engine', 'http://a:1'),
    /must be like NAME=grpc:\/\/HOST:PORT/,
  );
  assert.match(
    refusal('--model', 'hd=/m', '--remote-engine', 'sd=grpc://a:1'),
    /--remote-engine names the model "sd"; the served models are hd\./,
  );
  assert.match(
    refusal('--model', 'a=/m', '--model', 'b=/n', '--remote-engine', 'grpc://a:1'),
    /--remote-engine must name one of the models a, b/,
  );
  assert.match(
    refusal('--model', 'hd=/m', '--remote-engine-cert', 'c.pem'),
    /--remote-engine-cert needs --remote-engine-key\./,
  );
});

test('refuses settings that have no effect with or without remote engines', () => {
  const remote = ['--model', 'hd=/m', '--remote-engine', 'grpc://a:1'];
  for (const useless of [['--device', 'cuda'], ['--engines', '2'], ['--share-weights']]) {
    assert.match(refusal(...remote, ...useless), /has no effect: remote engines run every model\./);
    assert.equal(parse([...remote, '--model', 'sd=/n', ...useless].with(3, 'hd=grpc://a:1')).kind, 'run');
  }
  assert.match(
    refusal(...remote, '--remote-engine-ca', 'f'),
    /--remote-engine-ca needs a --remote-engine of grpcs/,
  );
  assert.match(refusal('--remote-engine-batches', '2'), /--remote-engine-batches needs --remote-engine\./);
  assert.match(
    refusal('--remote-engine-token-file', 'f'),
    /--remote-engine-token-file needs --remote-engine\./,
  );
  assert.match(refusal(...remote, ...remote.slice(2)), /--remote-engine names grpc:\/\/a:1 twice/);
  assert.match(refusal('--socket-mode', '600'), /--socket-mode needs --http-socket or --grpc-socket\./);
  assert.match(refusal('--http-socket', '/s', '--socket-mode', '444'), /lets nobody write/);
});
