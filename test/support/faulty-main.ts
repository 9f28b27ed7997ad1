// `siglip-hd serve` with an engine that fails as it is told to. Arguments: a model folder.
import { setTimeout as wait } from 'node:timers/promises';
import { serve } from '../../src/cli/serve.ts';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import { parseCommand } from '../../src/cli/settings/parse.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startService } from '../../src/service.ts';

const engineScript = new URL('./faulty-engine.js', import.meta.url);
const ports = ['--host=127.0.0.1', '--http-port=0', '--grpc-port=0'];
const parsed = parseCommand(serveCommand, {
  args: [...ports, '--log-format=json', ...process.argv.slice(2)],
  env: {},
  machine: { cores: 2, poolThreads: 4, cacheHome: '/tmp', hasIpv6: true },
});
if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed));
const exitCode = await serve(parsed.settings, createLogger(parsed.settings, process.stdout), {
  startService: (settings, logger, onLoss) => startService({ ...settings, engineScript }, logger, onLoss),
  wait: (waitMs, signal) => wait(waitMs, undefined, { signal }),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  signals: process,
  exitAtOnce: () => process.exit(1),
  now: () => performance.now(),
});
process.exit(exitCode);
