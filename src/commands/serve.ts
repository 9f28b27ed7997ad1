import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import type { ServeSettings } from '../config/serve-command.ts';
import type { Service } from '../service.ts';
import type { ExitCode } from './exit-code.ts';
import { onStopSignal, type SignalSource, type StopSignal } from './stop-signals.ts';

export interface ServeParts {
  /** Resolves when the service answers. `onDown` is called when an engine ends by itself. */
  readonly startService: (settings: ServeSettings, logger: Logger, onDown: () => void) => Promise<Service>;
  readonly signals: SignalSource;
  /** Ends the process now. */
  readonly exitAtOnce: (signal: StopSignal) => void;
  /** Resolves after a time, or rejects when the signal fires. */
  readonly wait: (waitMs: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

/** Why a service ends. */
type End = { readonly kind: 'signal'; readonly signal: StopSignal } | { readonly kind: 'down' };

/**
 * Serves until SIGTERM, SIGINT or SIGHUP, then drains: 0 when everything in flight was answered within `drainGraceMs`, 1 when
 * not or when an engine ended by itself. Signals count from the start, before a model is loaded. Rejects when the
 * service does not start.
 */
export async function serve(settings: ServeSettings, logger: Logger, parts: ServeParts): Promise<ExitCode> {
  const { signals, exitAtOnce: stopAtOnce, now } = parts;
  let end: (end: End) => void = () => {};
  const ended = new Promise<End>((resolve) => {
    end = resolve;
  });
  const stopListening = onStopSignal(signals, {
    now,
    stop: (signal) => end({ kind: 'signal', signal }),
    stopAtOnce,
  });
  try {
    const starting = parts.startService(settings, logger, () => end({ kind: 'down' }));
    const first = await Promise.race([starting.then(() => undefined), ended]);
    if (first?.kind === 'signal') {
      logger.info({ signal: first.signal }, 'stopping once the models are loaded');
      // Node aborts when a process ends inside an engine's native call: the start is let come to its end.
      const started = await starting.catch(() => undefined);
      await started?.close();
      return 0;
    }
    const service = await starting;
    const http = address(settings.host, service.httpPort);
    const grpc = address(settings.host, service.grpcPort);
    const scheme = settings.tlsCert === undefined ? 'http' : 'https';
    logger.info({ http: `${scheme}://${http}`, grpc }, 'ready');
    const why = await ended;
    if (why.kind === 'down') logger.error('stopping: an engine has ended');
    else logger.info({ signal: why.signal }, 'draining: what is in flight is finished, nothing new is taken');
    const drained = await drain(service, settings.drainGraceMs, parts);
    if (!drained) logger.warn({ drainGraceMs: settings.drainGraceMs }, 'requests were in flight to the end');
    await service.close();
    logger.info('stopped');
    return drained && why.kind === 'signal' ? 0 : 1;
  } finally {
    stopListening();
  }
}

/** Whether all that was in flight was answered in time. */
async function drain(service: Service, graceMs: number, { wait }: ServeParts): Promise<boolean> {
  const done = new AbortController();
  const draining = service.drain().then(() => true);
  const late = wait(graceMs, done.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([draining, late]);
  } finally {
    done.abort();
  }
}

function address(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
