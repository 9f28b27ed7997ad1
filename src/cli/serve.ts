import type { Logger } from 'pino';
import type { EngineLoss } from '../inference/engine-loss.ts';
import { hostPort } from '../network/host-port.ts';
import type { Service } from '../service.ts';
import type { ExitCode } from './exit-code.ts';
import type { ServeSettings } from './settings/serve.ts';
import { onLogSignal, onStopSignal, type SignalSource, type StopSignal } from './terminal.ts';

export interface ServeParts {
  /**
   * Resolves when the service is ready. `onLoss` is called when an engine has failed for good. When
   * `stopping` fires, it rejects rather than wait for something outside the process.
   */
  readonly startService: (
    settings: ServeSettings,
    logger: Logger,
    onLoss: (loss: EngineLoss) => void,
    stopping: AbortSignal,
  ) => Promise<Service>;
  readonly signals: SignalSource;
  /** Kills the process, even if a thread is in a native call. */
  readonly kill: () => void;
  /** Ends the process at once. */
  readonly exitAtOnce: (signal: StopSignal) => void;
  /** Resolves after a time, or rejects when the signal aborts. */
  readonly wait: (waitMs: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

/** Time for callers to read that the engine is stuck. */
const stuckGraceMs = 2000;

/** Least time to close after the drain: a native call may still have to finish. */
const closeGraceMs = 2000;

/** Why a service stops: a signal, or a model whose last engine failed for good. */
type End = StopSignal | 'engine down';

/** A run of the service, from start to exit. */
interface Run {
  readonly settings: ServeSettings;
  readonly logger: Logger;
  readonly parts: ServeParts;
  /** Resolves with the first reason to stop. */
  readonly ended: Promise<End>;
  /** Aborts when a model's last engine has failed for good. */
  readonly engineDown: AbortSignal;
  /** Whether an engine is stuck in a native call, for which an orderly exit would wait forever. */
  readonly lost: { isStuck: boolean };
}

/**
 * Serves until SIGTERM, SIGINT or SIGHUP, then drains. After SIGTERM it still accepts requests for `drainDelayMs`, while
 * it already reports not ready. Signals count from the start, before a model is loaded. Resolves with 0 if every
 * request in flight was answered within `drainGraceMs`, with 1 if not or if the last engine of a model failed for good.
 * Kills the process if an engine is stuck in a native call, for which an orderly exit would wait forever. Rejects if the
 * service does not start.
 */
export async function serve(settings: ServeSettings, logger: Logger, parts: ServeParts): Promise<ExitCode> {
  const engineDown = new AbortController();
  const stopping = new AbortController();
  const lost = { isStuck: false };
  let end: (end: End) => void = () => {};
  const ended = new Promise<End>((resolve) => {
    end = resolve;
  });
  const stopListening = onStopSignal(parts.signals, {
    now: parts.now,
    stop: end,
    stopAtOnce: parts.exitAtOnce,
  });
  const stopSwitching = onLogSignal(parts.signals, logger);
  const run: Run = { settings, logger, parts, ended, engineDown: engineDown.signal, lost };
  try {
    const onLoss = (loss: EngineLoss): void => {
      if (loss.end === 'stuck') lost.isStuck = true;
      if (!loss.isLast) return;
      engineDown.abort();
      end('engine down');
    };
    const starting = parts.startService(settings, logger, onLoss, stopping.signal);
    const first = await Promise.race([starting.then(() => undefined), ended]);
    if (first !== undefined && first !== 'engine down') {
      stopping.abort();
      return await stopStarting(run, starting, first);
    }
    const service = await starting;
    logger.info(addresses(settings, service), 'ready');
    return await stop(run, service, await ended);
  } catch (error) {
    if (isStuck(run)) {
      logger.fatal({ err: error }, 'killing the process: an engine got stuck while the service started');
      parts.kill();
    }
    throw error;
  } finally {
    stopListening();
    stopSwitching();
  }
}

/** Waits for the start and closes: Node aborts if a process exits while an engine is in a native call. */
async function stopStarting(run: Run, starting: Promise<Service>, signal: StopSignal): Promise<ExitCode> {
  const { settings, logger, parts } = run;
  logger.info({ signal }, 'stopping before the service has started');
  const stopped = starting.then(
    (service) => service.close(),
    () => undefined,
  );
  if ((await inTime(stopped, settings.drainGraceMs, parts)) && !isStuck(run)) {
    logger.info('stopped');
    return 0;
  }
  logger.fatal('killing the process: the service did not finish starting');
  parts.kill();
  return 1;
}

async function stop(run: Run, service: Service, end: End): Promise<ExitCode> {
  const { settings, logger, parts, engineDown } = run;
  if (end === 'engine down') logger.error('stopping: the last engine of a model has failed for good');
  else await announceStop(run, service, end);
  const isHopeless = engineDown.aborted && isStuck(run);
  const graceMs = isHopeless ? Math.min(settings.drainGraceMs, stuckGraceMs) : settings.drainGraceMs;
  const drainingMs = parts.now();
  const drained = await inTime(service.drain(), graceMs, parts);
  if (!drained) logger.warn({ drainGraceMs: graceMs }, 'requests were still in flight after the drain');
  const leftMs = Math.max(closeGraceMs, graceMs - (parts.now() - drainingMs));
  if (isStuck(run) || !(await inTime(service.close(), leftMs, parts)) || isStuck(run)) {
    logger.fatal('killing the process: an engine is stuck in a native call');
    parts.kill();
    return 1;
  }
  logger.info('stopped');
  return drained && !engineDown.aborted ? 0 : 1;
}

async function announceStop(run: Run, service: Service, signal: StopSignal): Promise<void> {
  const { settings, logger, parts, engineDown } = run;
  service.setNotReady();
  if (signal === 'SIGTERM' && settings.drainDelayMs > 0) {
    logger.info({ drainDelayMs: settings.drainDelayMs }, 'not ready; still accepting requests');
    // Ends early if an engine fails meanwhile: nothing could answer.
    await parts.wait(settings.drainDelayMs, engineDown).catch(() => undefined);
  }
  logger.info({ signal }, 'draining: finishing requests in flight, refusing new ones');
}

function isStuck({ lost }: Run): boolean {
  return lost.isStuck;
}

/** Whether the work finishes in time. */
async function inTime(work: Promise<void>, limitMs: number, { wait }: ServeParts): Promise<boolean> {
  const done = new AbortController();
  const ended = work.then(() => true);
  const late = wait(limitMs, done.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([ended, late]);
  } finally {
    done.abort();
  }
}

function addresses(
  { host, tlsCert, httpSocket, grpcSocket, playground }: ServeSettings,
  { httpPort, grpcPort, metricsPort }: Service,
): Readonly<Record<string, string>> {
  const scheme = tlsCert === undefined ? 'http' : 'https';
  const at = (port: number, name = host): string => hostPort(name, port);
  // A person opens the pages: a browser has no use for the address that stands for all.
  const browsed = host === '::' || host === '0.0.0.0' ? 'localhost' : host;
  return {
    http: `${scheme}://${at(httpPort)}`,
    grpc: at(grpcPort),
    ...(httpSocket === undefined ? {} : { httpSocket }),
    ...(grpcSocket === undefined ? {} : { grpcSocket: `unix:${grpcSocket}` }),
    ...(metricsPort === undefined ? {} : { metrics: `http://${at(metricsPort)}/metrics` }),
    docs: `${scheme}://${at(httpPort, browsed)}/docs`,
    ...(playground ? { playground: `${scheme}://${at(httpPort, browsed)}/` } : {}),
  };
}
