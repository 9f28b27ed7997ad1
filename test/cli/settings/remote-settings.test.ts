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
