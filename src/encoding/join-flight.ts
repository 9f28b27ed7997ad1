import type { StopSignal } from '../errors/abort.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import type { Trace } from '../telemetry/trace.ts';
import type { AnsweredImage, EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { Flight } from './single-flight.ts';

/** Waits for tokens that another request is encoding. The whole wait counts as time in the queue. */
export async function joinFlight(
  { now }: Pick<EncodingParts, 'now'>,
  flight: Flight<EncodedImage>,
  trace: Trace | undefined,
  signal: StopSignal,
): Promise<AnsweredImage> {
  const start = now();
  const encoded = await flight.join(signal);
  trace?.stage('joined', start, now());
  return { ...encoded, source: 'joined', timings: { ...noTime, queueMs: now() - start } };
}
