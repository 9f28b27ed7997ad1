import { connect } from 'node:net';
import { defaultGrpcLimits } from '../../src/transport/grpc/limits.ts';
import { type Answer, hangMs } from './answer.ts';
import type { FuzzCase } from './case.ts';
import { wrongProblem } from './send-http.ts';

type RawCase = Extract<FuzzCase, { kind: 'raw' }>;

/** After this a client that aborts is gone. */
const abortMs = 15;
/** A connection of HTTP/2 that ends in the middle of a frame is closed when it does not answer a ping. */
const { keepaliveMs, keepaliveTimeoutMs } = defaultGrpcLimits;
const heldMs = keepaliveMs + keepaliveTimeoutMs + 10_000;
/** After this nobody waits for such a connection, but at the end of all. */
const patienceMs = 1000;

/** Connections that the service has not closed so far. */
export class HeldConnections {
  readonly #held: {
    readonly number: number;
    readonly closed: Promise<boolean>;
    readonly give: () => void;
  }[] = [];

  /** `closed` says whether the service closed it in time; `give` closes it here. */
  add(number: number, closed: Promise<boolean>, give: () => void): void {
    this.#held.push({ number, closed, give });
  }

  /** Waits until the service has closed them, or its time is over; gives the cases of those that it has not. */
  async left(): Promise<number[]> {
    const closed = await Promise.all(this.#held.map((each) => each.closed));
    return this.#held.filter((_, index) => !closed[index]).map(({ number }) => number);
  }

  /** Closes them here. */
  close(): void {
    for (const { give } of this.#held) give();
  }
}

/**
 * Sends bytes on a connection of their own. A client that ends its side waits for the service to end the other: over
 * HTTP for the time that any case has; over gRPC not here, where the answer is `held`, with the error that it was
 * told of.
 */
export function sendRaw(sent: RawCase, port: number, held: HeldConnections): Promise<Answer> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const pieces: Buffer[] = [];
    let isLate = false;
    const end = (ending: string, wrong?: string): void => {
      const ms = performance.now() - startedMs;
      resolve(wrong === undefined ? { ending, ms } : { ending, ms, wrong });
    };
    const closed = new Promise<boolean>((give) => socket.once('close', () => give(!isLate)));
    const limitMs = sent.port === 'http' ? hangMs : heldMs;
    const timer = setTimeout(() => {
      isLate = true;
      socket.destroy();
    }, limitMs);
    const hold = (): void => {
      held.add(sent.number, closed, () => socket.destroy());
      end(['held', goAway(Buffer.concat(pieces))].filter((text) => text !== undefined).join(' '));
    };
    const patience = sent.port === 'http' ? undefined : setTimeout(hold, patienceMs);
    socket.on('data', (piece) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      clearTimeout(timer);
      clearTimeout(patience);
      const { ending, wrong } = sent.port === 'http' ? answersIn(Buffer.concat(pieces)) : framesIn(pieces);
      if (isLate) end('hang');
      else end(ending, wrong);
    });
    if (sent.end === 'trickle') {
      const half = sent.bytes.byteLength >> 1;
      socket.write(sent.bytes.subarray(0, half));
      setTimeout(() => socket.end(sent.bytes.subarray(half)), abortMs);
    } else if (sent.end === 'abort') {
      socket.write(sent.bytes);
      setTimeout(() => socket.destroy(), abortMs);
    } else socket.end(sent.bytes);
  });
}

/** The last of the answers, and what is wrong with any of them. */
function answersIn(bytes: Buffer): { ending: string; wrong?: string } {
  let ending = 'closed';
  for (let at = 0; at < bytes.byteLength; ) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0) break;
    const head = bytes.toString('latin1', at, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    if (Number.isNaN(status))
      return { ending: 'http ?', wrong: `an answer begins with ${head.slice(0, 60)}` };
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    const body = bytes.toString('latin1', headEnd + 4, headEnd + 4 + length);
    const code = status < 400 ? undefined : /"code":"([a-z_]+)"/.exec(body)?.[1];
    // That the rest may be sent is no answer.
    if (status !== 100) ending = code === undefined ? `http ${status}` : `http ${status} ${code}`;
    const type = /^content-type: (.*)$/im.exec(head)?.[1];
    const isWhole = body.length === length;
    const wrong = status >= 400 && isWhole && length > 0 ? wrongProblem(status, type, body) : undefined;
    if (wrong !== undefined || status >= 500) return wrong === undefined ? { ending } : { ending, wrong };
    if (/^transfer-encoding: chunked$/im.test(head)) break;
    at = headEnd + 4 + length;
  }
  return { ending };
}

/** HTTP/2 is compressed: that the connection ended has to do. */
function framesIn(pieces: readonly Buffer[]): { ending: string; wrong?: string } {
  return { ending: pieces.length > 0 ? 'frames' : 'closed' };
}

/** `goaway` and the error, where HTTP/2's frames end the connection for one (RFC 9113, 6.8). */
export function goAway(frames: Buffer): string | undefined {
  for (let at = 0; at + 17 <= frames.byteLength; at += 9 + frames.readUIntBE(at, 3)) {
    const error = frames.readUInt32BE(at + 13);
    if (frames[at + 3] === 7 && error !== 0) return `goaway ${error}`;
  }
  return undefined;
}
