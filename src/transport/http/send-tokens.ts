import type { FastifyReply } from 'fastify';
import type { EncodeAnswer } from '../../encoding/request.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { type AnswerSource, leastReady, type StageTimings } from '../../telemetry/stage-timings.ts';
import { carriesMetadata, type TokenFormat, tokenFile } from '../../tokens/formats/format.ts';
import { metadataHeader } from '../../tokens/formats/metadata.ts';
import type { TokenFile } from '../../tokens/formats/token-file.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { HttpLimits } from './limits.ts';

export interface SendSettings {
  readonly metrics: Metrics;
  readonly limits: HttpLimits;
}

/** How an answer was made, for its headers. */
interface Making {
  readonly timings: StageTimings;
  readonly sources: readonly AnswerSource[];
}

/** Sends one tensor. Its metadata goes into a header if the format has no place for it. */
export async function sendTokens(
  reply: FastifyReply,
  settings: SendSettings & { readonly format: TokenFormat },
  answer: EncodeAnswer,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { scope } = reply.request;
  const { format } = settings;
  scope.hold(answer.release);
  scope.answer = withoutTokens(answer);
  const headers = carriesMetadata(format)
    ? more
    : { 'tokens-meta': metadataHeader(answer.metadata), ...more };
  await sendFile(reply, settings, () => tokenFile(format, answer), answer, headers);
}

/** Sends a file of tokens. */
export async function sendFile(
  reply: FastifyReply,
  { metrics, limits }: SendSettings,
  makeFile: () => TokenFile,
  { timings, sources }: Making,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { scope } = reply.request;
  const startMs = performance.now();
  const file = makeFile();
  const endMs = performance.now();
  metrics.observeWrite(endMs - startMs, scope.answer?.metadata.model.name ?? '');
  scope.trace?.stage('write', startMs, endMs);
  await new AnswerWriter(reply, limits).sendFile(file, {
    'server-timing': serverTiming(timings, endMs - startMs),
    'tokens-cache': leastReady(sources),
    ...more,
  });
}

function serverTiming(
  { decodeMs, viewsMs, queueMs, engineMs, assembleMs, batchViews }: StageTimings,
  writeMs: number,
): string {
  const batch = batchViews === undefined ? '' : `;desc="batch of ${batchViews}"`;
  const first = `${timing('decode', decodeMs)}, ${timing('views', viewsMs)}, ${timing('queue', queueMs)}`;
  const assemble = assembleMs === undefined ? '' : `, ${timing('assemble', assembleMs)}`;
  return `${first}, ${timing('engine', engineMs)}${batch}${assemble}, ${timing('write', writeMs)}`;
}

function timing(stage: string, durationMs: number): string {
  return `${stage};dur=${durationMs.toFixed(2)}`;
}
