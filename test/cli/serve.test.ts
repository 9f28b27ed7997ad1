import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { pino } from 'pino';
import { serve } from '../../src/cli/serve.ts';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import { parseCommand } from '../../src/cli/settings/parse.ts';
import type { EngineLoss } from '../../src/inference/engine-loss.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { Service } from '../../src/service.ts';

const parsed = parseCommand(serveCommand, {
  args: ['--host', '::', '--drain-grace-ms', '700', '--drain-delay-ms', '300'],
  env: {},
  machine: { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true },
});
assert.equal(parsed.kind, 'run');
const { settings } = parsed;

/** A promise that a test settles by hand. */
function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

function start(
  options: {
    startService?: () => Promise<Service>;
    tlsCert?: string;
    holdsDelay?: true;
    holdsClose?: true;
  } = {},
) {
  const signals = new EventEmitter();
  const calls: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const drained = gate();
  const grace = gate();
  const delay = gate();
  if (options.holdsDelay !== true) delay.open();
  const closeGrace = gate();
  const ready = gate();
  const log = {
    write: (line: string) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      lines.push(entry);
      if (entry['msg'] === 'ready') ready.open();
    },
  };
  let lose: (loss: EngineLoss) => void = () => {};
  const service: Service = {
    metricsPort: undefined,
    httpPort: 8080,
    grpcPort: 50_051,
    setNotReady: () => {
      calls.push('not ready');
    },
    drain: async () => {
      calls.push('drain');
      await drained.opened;
    },
    close: async () => {
      calls.push('close');
      if (options.holdsClose === true) await new Promise(() => {});
    },
  };
  const exit = serve({ ...settings, tlsCert: options.tlsCert }, pino({}, log), {
    signals,
    startService: async (_settings, _logger, onLoss) => {
      lose = onLoss;
      return await (options.startService?.() ?? Promise.resolve(service));
    },
    kill: () => calls.push('kill'),
    exitAtOnce: (signal) => calls.push(`exit at once ${signal}`),
    wait: async (waitMs, signal) => {
      calls.push(`wait ${waitMs}`);
      await Promise.race([
        { 300: delay, 2000: closeGrace }[waitMs]?.opened ?? grace.opened,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    },
    now: (() => {
      let nowMs = 0;
      return () => (nowMs += 1000);
    })(),
  });
  const send = (signal: 'SIGTERM' | 'SIGINT') => signals.emit(signal, signal);
  return {
    signals,
    calls,
    lines,
    drained,
    grace,
    delay,
    closeGrace,
    ready,
    exit,
    send,
    loseEngine: (loss: EngineLoss) => lose(loss),
    goDown: (end: EngineLoss['end'] = 'ended') => lose({ end, isLast: true }),
  };
}

test('logs https addresses when it speaks TLS', async () => {
  const { ready, lines, drained, send, exit } = start({ tlsCert: 'c' });
  await ready.opened;
  assert.equal(lines[0]?.['http'], 'https://[::]:8080');
  drained.open();
  send('SIGTERM');
  await exit;
});

test('logs in one line where it listens, and its pages, when it is ready', async () => {
  const { ready, lines, drained, send, exit } = start();
  await ready.opened;
  const [{ http, grpc, docs, playground, msg } = {}] = lines;
  assert.deepEqual(
    { http, grpc, docs, playground, msg },
    {
      http: 'http://[::]:8080',
      grpc: '[::]:50051',
      docs: 'http://localhost:8080/docs',
      playground: 'http://localhost:8080/',
      msg: 'ready',
    },
  );
  assert.equal(lines.length, 1);
  drained.open();
  send('SIGTERM');
  await exit;
});

test('answers the requests in flight after SIGTERM, then exits with 0', async () => {
  const { ready, calls, drained, send, exit, signals } = start();
  await ready.opened;
  send('SIGTERM');
  drained.open();
  assert.equal(await exit, 0);
  assert.deepEqual(calls, ['not ready', 'wait 300', 'drain', 'wait 700', 'close', 'wait 2000']);
  assert.equal(signals.listenerCount('SIGTERM'), 0);
});

test('closes with requests in flight when the grace is over, and exits with 1', async () => {
  const { ready, calls, grace, send, exit, lines } = start();
  await ready.opened;
  send('SIGINT');
  grace.open();
  assert.equal(await exit, 1);
  assert.deepEqual(calls, ['not ready', 'drain', 'wait 700', 'close', 'wait 2000'], 'SIGINT has no delay');
  assert.ok(lines.some(({ level, drainGraceMs }) => level === 40 && drainGraceMs === 700));
});

test('reports not ready after SIGTERM, but accepts requests for a while before it drains', async () => {
  const { ready, calls, delay, drained, send, exit } = start({ holdsDelay: true });
  await ready.opened;
  send('SIGTERM');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(calls, ['not ready', 'wait 300']);
  delay.open();
  drained.open();
  assert.equal(await exit, 0);
});

test('exits at once at the second signal', async () => {
  const { ready, calls, drained, send, exit } = start();
  await ready.opened;
  send('SIGTERM');
  send('SIGTERM');
  assert.ok(calls.includes('exit at once SIGTERM'));
  drained.open();
  await exit;
});

test('closes what has started if it is stopped while a model loads, then exits with 0', async () => {
  const loaded = gate();
  let closed = 0;
  const close = async () => {
    closed += 1;
  };
  const service = {
    httpPort: 1,
    grpcPort: 2,
    metricsPort: 3,
    setNotReady() {},
    drain: async () => {},
    close,
  };
  const { send, exit, signals } = start({ startService: () => loaded.opened.then(() => service) });
  assert.equal(signals.listenerCount('SIGTERM'), 1, 'listens before it starts');
  send('SIGTERM');
  loaded.open();
  assert.equal(await exit, 0);
  assert.equal(closed, 1);
});

test('rejects with the reason why the service did not start', async () => {
  const error = new ServiceError('failed_precondition', 'No CUDA here.');
  const { exit } = start({ startService: () => Promise.reject(error) });
  await assert.rejects(exit, error);
});

test('drains and exits with 1 when an engine ends by itself', async () => {
  const { ready, calls, drained, goDown, exit } = start();
  await ready.opened;
  drained.open();
  goDown();
  assert.equal(await exit, 1);
  assert.deepEqual(calls, ['drain', 'wait 700', 'close', 'wait 2000']);
});

test('lets callers read that the engine is stuck, then kills the process, whose thread does not end', async () => {
  const { ready, calls, drained, lines, goDown, exit } = start();
  await ready.opened;
  drained.open();
  goDown('stuck');
  assert.equal(await exit, 1);
  assert.deepEqual(calls, ['drain', 'wait 700', 'kill'], 'closing would wait for the thread');
  assert.equal(lines.at(-1)?.['level'], 60);
});

test('goes on when an engine is lost and others of its model work, and kills the process after the drain', async () => {
  const { ready, calls, drained, lines, loseEngine, send, exit } = start();
  await ready.opened;
  loseEngine({ end: 'ended', isLast: false });
  loseEngine({ end: 'stuck', isLast: false });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(calls, []);
  send('SIGINT');
  drained.open();
  assert.equal(await exit, 1);
  assert.deepEqual(
    calls,
    ['not ready', 'drain', 'wait 700', 'kill'],
    'an exit would wait for the stuck thread',
  );
  assert.equal(lines.at(-1)?.['level'], 60);
});

test('kills the process if an engine is still in a native call after the drain', async () => {
  const { ready, calls, drained, closeGrace, lines, send, exit } = start({ holdsClose: true });
  await ready.opened;
  send('SIGINT');
  drained.open();
  closeGrace.open();
  assert.equal(await exit, 1);
  assert.equal(calls.at(-1), 'kill');
  assert.equal(lines.at(-1)?.['level'], 60);
});

test('cuts the delay short if an engine gets stuck after SIGTERM', async () => {
  const { ready, calls, drained, goDown, send, exit } = start({ holdsDelay: true });
  await ready.opened;
  send('SIGTERM');
  await new Promise((resolve) => setImmediate(resolve));
  drained.open();
  goDown('stuck');
  assert.equal(await exit, 1);
  assert.deepEqual(calls, ['not ready', 'wait 300', 'drain', 'wait 700', 'kill']);
});

test('ends after a signal even if the start never finishes', async () => {
  const { calls, grace, send, exit } = start({ startService: () => new Promise(() => {}) });
  send('SIGTERM');
  grace.open();
  assert.equal(await exit, 1);
  assert.deepEqual(calls, ['wait 700', 'kill']);
});

test('kills the process if an engine gets stuck while the service starts', async () => {
  const error = new ServiceError('unavailable', 'The engine is down.');
  const { calls, goDown, exit } = start({
    startService: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      goDown('stuck');
      throw error;
    },
  });
  await assert.rejects(exit, error);
  assert.deepEqual(calls, ['kill']);
});
