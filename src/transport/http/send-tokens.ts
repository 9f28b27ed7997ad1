import type { Metrics } from '../../telemetry/metrics.ts';
import type { EncodeAnswer } from '../../encoding/request.ts';
import type { AnswerSource, StageTimings } from '../../telemetry/stage-timings.ts';
import { carriesMetadata, type TokenFormat, tokenFile } from '../../tokens/formats/format.ts';
import { metadataHeader } from '../../tokens/formats/metadata.ts';
import type { TokenFile } from '../../tokens/formats/token-file.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import type { Exchange } from './answer-writer.ts';
import { leastReady } from '../../telemetry/stage-timings.ts';
import { serverTiming } from './server-timing.ts';

/** What an answer's headers say of how it came about. */
interface Making {
  readonly timings: StageTimings;
  readonly sources: readonly AnswerSource[];
}

/** Sends one tensor in a format, with its metadata in a header where the format has no room for it. */
export async function sendTokens(
  exchange: Exchange,
  metrics: Metrics,
  format: TokenFormat,
  answer: EncodeAnswer,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  exchange.hold(answer.release);
  exchange.answer = withoutTokens(answer);
  const { tensor, metadata } = answer;
  const headers = carriesMetadata(format) ? more : { 'tokens-meta': metadataHeader(metadata), ...more };
  await sendFile(exchange, metrics, () => tokenFile(format, tensor, metadata), answer, headers);
}

/** Sends a file of tokens. */
export async function sendFile(
  exchange: Exchange,
  metrics: Metrics,
  makeFile: () => TokenFile,
  { timings, sources }: Making,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const writeStartMs = performance.now();
  const { contentType, contentLength, body } = makeFile();
  const writeMs = performance.now() - writeStartMs;
  metrics.observeWrite(writeMs, exchange.answer?.metadata.model.name ?? '');
  exchange.trace?.stage('write', writeStartMs, writeStartMs + writeMs);
  const headers = {
    'content-type': contentType,
    'content-length': contentLength,
    'server-timing': serverTiming({ ...timings, writeMs }),
    'tokens-cache': leastReady(sources),
    ...more,
  };
  if (body.kind === 'buffers') exchange.send(200, headers, body.buffers);
  else await exchange.stream(200, headers, body.slices);
}
