import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

const timeoutHeader = 'grpc-timeout';
/** How many are an hour; no eight digits of the shorter units are too far. */
const perHour: Readonly<Record<string, number>> = { H: 1, M: 60, S: 3600 };
/** Some 25 days, the longest that 32 bits of milliseconds tell. */
const longestHours = Math.floor((2 ** 31 - 1) / 3_600_000);

/**
 * Brings a timeout beyond 32 bits of milliseconds, which grpc-js would take for one that has passed, down to the
 * longest below. For a server's `stream` event, ahead of grpc-js.
 */
export function shortenFarDeadline(_stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const [, amount, unit] = /(\d{1,8})\s*([HMSmun])/.exec(String(headers[timeoutHeader])) ?? [];
  if (Number(amount) / (perHour[unit ?? ''] ?? Infinity) > longestHours)
    headers[timeoutHeader] = `${longestHours}H`;
}
