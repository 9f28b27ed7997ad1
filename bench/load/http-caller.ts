import { Agent, type IncomingMessage, request } from 'node:http';
import { type Call, type Caller, type CallerOptions, type Outcome, Settling, unlessTold } from './caller.ts';
import type { Endpoint } from './offer.ts';
import { takeBytes } from './trickle.ts';

const routes = {
  encode: '/v1/encode',
  teacher: '/v1/teacher-encode',
  anyres: '/v1/anyres-encode',
} as const satisfies Record<Endpoint, string>;

/** Plain node:http: a connection for each request under way, kept for the next. */
export function httpCaller(
  url: string,
  { image, dtype, headers, readBytesPerSecond }: CallerOptions,
): Caller {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true });
  const common = {
    agent,
    hostname,
    port,
    method: 'POST',
    headers: { ...unlessTold, ...headers, 'content-length': image.byteLength },
  };
  return {
    call: (endpoint): Call => {
      const settling = new Settling();
      const fail = (error: NodeJS.ErrnoException) =>
        settling.settle({ code: error.code ?? error.message, sizeBytes: 0 });
      const asked = request(
        { ...common, path: `${routes[endpoint]}?format=raw&dtype=${dtype}` },
        (response) => receive(response, settling, readBytesPerSecond),
      );
      asked.once('error', fail);
      asked.end(image);
      return {
        outcome: settling.outcome,
        leave(code) {
          if (settling.isSettled) return;
          settling.settle({ code, sizeBytes: 0 });
          asked.destroy();
        },
      };
    },
    close: () => agent.destroy(),
  };
}

function receive(response: IncomingMessage, settling: Settling, bytesPerSecond: number | undefined): void {
  const isOk = response.statusCode === 200;
  const problem: Buffer[] = [];
  let sizeBytes = 0;
  takeBytes(response, isOk ? bytesPerSecond : undefined, (chunk) => {
    sizeBytes += chunk.byteLength;
    if (!isOk) problem.push(chunk);
  });
  response.once('end', () => {
    settling.settle(isOk ? { code: 'ok', sizeBytes } : refusal(response, problem));
  });
  response.once('error', () => undefined);
  response.once('close', () => settling.settle({ code: 'cut_off', sizeBytes }));
}

function refusal({ statusCode, headers }: IncomingMessage, problem: readonly Buffer[]): Outcome {
  const wait = headers['retry-after-ms'];
  return {
    code: problemCode(Buffer.concat(problem).toString()) ?? `http_${statusCode}`,
    sizeBytes: 0,
    ...(wait === undefined ? {} : { retryAfterMs: Number(wait) }),
  };
}

function problemCode(text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1];
}
