import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import type { ServeSettings } from './settings/serve.ts';
import type { EngineEnd } from '../inference/supervised-engine.ts';
import type { Service } from '../service.ts';
import type { ExitCode } from './exit-code.ts';
import { type LogSignalSource, onLogSignal } from './log-signal.ts';
import { onStopSignal, type SignalSource, type StopSignal } from './stop-signals.ts';

export interface ServeParts {
  /** Resolves when the service answers. `onDown` is called when an engine is of no more use. */
  readonly startService: (
    settings: ServeSettings,
    logger: Logger,
    onDown: (end: EngineEnd) => void,
  ) => Promise<Service>;
  readonly signals: SignalSource & LogSignalSource;
  /** Ends the process whatever its threads are at. */
  readonly kill: () => void;
  /** Ends the process now. */
  readonly exitAtOnce: (signal: StopSignal) => void;
  /** Resolves after a time, or rejects when the signal fires. */
  readonly wait: (waitMs: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

/** How long callers may take to read that the engine is stuck. */
const stuckGraceMs = 2000;

/** How long what is left may take to close once nothing is in flight: a native call is let come to its end. */
const closeGraceMs = 2000;

/** Why a service ends. */
type End =
  | { readonly kind: 'signal'; readonly signal: StopSignal }
  | { readonly kind: 'down'; readonly end: EngineEnd };

/**
 * Serves until SIGTERM, SIGINT or SIGHUP, then drains (after SIGTERM it is not ready but accepts for
 * `drainDelayMs`, so that load balancers come to know): 0 when everything in flight was answered within
 * `drainGraceMs`, 1 when not or when an engine is of no more use. An engine that is in a native call to the very
 * end is killed with the process, which would wait for it for ever. Signals count from the start, before a model
 * is loaded. Rejects when the service does not start.
 */
export async function serve(settings: ServeSettings, logger: Logger, parts: ServeParts): Promise<ExitCode> {
  const { signals, exitAtOnce: stopAtOnce, now } = parts;
  let end: (end: End) => void = () => {};
  const ended = new Promise<End>((resolve) => {
    end = resolve;
  });
  const down: { end?: EngineEnd } = {};
  const nobodyServes = new AbortController();
  const stopListening = onStopSignal(signals, {
    now,
    stop: (signal) => end({ kind: 'signal', signal }),
    stopAtOnce,
  });
  const stopSwitching = onLogSignal(signals, logger);
  try {
    const starting = parts.startService(settings, logger, (reason) => {
      down.end = reason;
      nobodyServes.abort();
      end({ kind: 'down', end: reason });
    });
    const first = await Promise.race([starting.then(() => undefined), ended]);
    if (first?.kind === 'signal') {
      logger.info({ signal: first.signal }, 'stopping once the models are loaded');
      // Node aborts when a process ends inside an engine's native call: the start is let come to its end.
      const stopped = starting.then(
        (started) => started.close(),
        () => undefined,
      );
      if ((await inTime(stopped, settings.drainGraceMs, parts)) && !isStuck(down)) return 0;
      logger.fatal('ending: the service does not come to the end of its start');
      parts.kill();
      return 1;
    }
    const service = await starting;
    const http = address(settings.host, service.httpPort);
    const grpc = address(settings.host, service.grpcPort);
    const scheme = settings.tlsCert === undefined ? 'http' : 'https';
    const metrics =
      service.metricsPort === undefined
        ? {}
        : { metrics: `http://${address(settings.host, service.metricsPort)}/metrics` };
    logger.info({ http: `${scheme}://${http}`, docs: `${scheme}://${http}/docs`, grpc, ...metrics }, 'ready');
    const why = await ended;
    if (why.kind === 'down') logger.error('stopping: the engine is of no more use');
    else {
      service.setNotReady();
      if (why.signal === 'SIGTERM' && settings.drainDelayMs > 0) {
        logger.info({ drainDelayMs: settings.drainDelayMs }, 'not ready any more; still accepting');
        // Cut short when there is nothing to accept requests for.
        await parts.wait(settings.drainDelayMs, nobodyServes.signal).catch(() => undefined);
      }
      logger.info({ signal: why.signal }, 'draining: what is in flight is finished, nothing new is taken');
    }
    const graceMs = isStuck(down) ? Math.min(settings.drainGraceMs, stuckGraceMs) : settings.drainGraceMs;
    const drainingMs = now();
    const drained = await inTime(service.drain(), graceMs, parts);
    if (!drained) logger.warn({ drainGraceMs: settings.drainGraceMs }, 'requests were in flight to the end');
    const leftMs = Math.max(closeGraceMs, graceMs - (now() - drainingMs));
    if (isStuck(down) || !(await inTime(service.close(), leftMs, parts)) || isStuck(down)) {
      // Neither can its thread be ended, nor the process in an orderly way, which waits for the thread.
      logger.fatal('ending: the engine is stuck in a native call');
      parts.kill();
      return 1;
    }
    logger.info('stopped');
    return drained && down.end === undefined ? 0 : 1;
  } catch (error) {
    if (isStuck(down)) {
      logger.fatal({ err: error }, 'ending: the engine got stuck while the service started');
      parts.kill();
    }
    throw error;
  } finally {
    stopListening();
    stopSwitching();
  }
}

function isStuck({ end }: { readonly end?: EngineEnd }): boolean {
  return end === 'stuck';
}

/** Whether the work ends in time. */
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

function address(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
