import { Agent, type IncomingMessage, request } from 'node:http';
import { problemKinds } from '../../src/transport/http/problem.ts';
import { type Answer, hangMs } from './answer.ts';
import type { FuzzCase } from './case.ts';

type HttpCase = Extract<FuzzCase, { kind: 'http' }>;

/** Sends well-formed requests over connections that are kept. */
export class HttpSender {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string) {
    this.#url = new URL(url);
  }

  send(sent: HttpCase): Promise<Answer> {
    return this.#send(sent, true);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(sent: HttpCase, mayRepeat: boolean): Promise<Answer> {
    const { method, path, headers, body } = sent;
    const { hostname, port } = this.#url;
    const startedMs = performance.now();
    return new Promise((resolve) => {
      const end = (ending: string, wrong?: string): void => {
        clearTimeout(timer);
        const ms = performance.now() - startedMs;
        resolve(wrong === undefined ? { ending, ms } : { ending, ms, wrong });
      };
      const timer = setTimeout(() => {
        end('hang');
        asked.destroy();
      }, hangMs);
      const length = body.byteLength > 0 ? { 'content-length': body.byteLength } : {};
      const named = { 'x-request-id': `fuzz-${sent.number}`, ...headers, ...length };
      const asked = request({ agent: this.#agent, hostname, port, path, method, headers: named });
      asked.once('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', () => undefined);
        response.once('close', () => {
          if (!response.complete) return end('closed', 'the answer ended before its end');
          const content = Buffer.concat(pieces);
          end(httpEnding(response, content), wrongOf(method, response, content));
        });
      });
      asked.once('error', (error: NodeJS.ErrnoException) => {
        // The service may close an idle connection as it is used again: any client sends again then.
        if (mayRepeat && asked.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) {
          clearTimeout(timer);
          resolve(this.#send(sent, false));
        } else if (method === 'HEAD' && error.code?.startsWith('HPE_')) {
          // A HEAD request of several packets that cannot be read is refused with a body.
          end('http 431');
        } else end('closed', `no answer: ${error.message}`);
      });
      // What asks to be told to go on sends its body all the same.
      asked.end(body);
    });
  }
}

function httpEnding({ statusCode = 0 }: IncomingMessage, content: Buffer): string {
  const code = statusCode < 400 ? undefined : /"code":"([a-z_]+)"/.exec(content.toString('latin1'))?.[1];
  return code === undefined ? `http ${statusCode}` : `http ${statusCode} ${code}`;
}

/** What is wrong with an answer: a problem that is none, or an image that failed by the service's own fault. */
function wrongOf(method: string, response: IncomingMessage, content: Buffer): string | undefined {
  const status = response.statusCode ?? 0;
  const text = content.toString('latin1');
  // The description of the API shows every problem as an example.
  if (text.startsWith('{"openapi"')) return undefined;
  const own = /"code":"(internal|unavailable|overloaded)"/.exec(text)?.[1];
  if (status < 400) return own === undefined ? undefined : `an image of the answer failed: ${own}`;
  return method === 'HEAD' ? undefined : wrongProblem(status, response.headers['content-type'], text);
}

/** What a problem lacks of application/problem+json, or says that callers must not see. */
export function wrongProblem(status: number, type: string | undefined, text: string): string | undefined {
  if (type !== 'application/problem+json') return `${status} as ${type}`;
  try {
    const { code, detail, status: said } = JSON.parse(text) as Record<string, unknown>;
    const kind = typeof code === 'string' && Object.hasOwn(problemKinds, code) ? code : undefined;
    if (kind === undefined) return `${status} with the code ${String(code)}`;
    if (said !== status || problemKinds[kind as keyof typeof problemKinds].status !== status) {
      return `${status} with the code ${kind} and the status ${String(said)}`;
    }
    return wrongDetail(detail);
  } catch {
    return `${status} that is no JSON`;
  }
}

/** What a sentence for callers must not have: nothing, a stack, or a path of the service's machine. */
export function wrongDetail(detail: unknown): string | undefined {
  if (typeof detail !== 'string' || detail === '') return 'an error without a sentence';
  const told = /\n\s+at |file:\/\/|node:internal|node_modules|\/(?:build|tmp|home|work)\//.exec(detail);
  return told === null ? undefined : `an error tells of the inside: ${detail.slice(0, 200)}`;
}
