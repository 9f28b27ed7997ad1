import { Client, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, hangMs } from './answer.ts';
import type { FuzzCase } from './case.ts';
import { readStreamed } from './corpus.ts';
import { wrongDetail } from './send-http.ts';

type GrpcCase = Extract<FuzzCase, { kind: 'grpc' }>;
type FramesCase = Extract<FuzzCase, { kind: 'frames' }>;

const asIs = (bytes: Buffer): Buffer => bytes;

/** Statuses that come with a google.rpc.ErrorInfo where the service, not its library, gives them. */
const explained: ReadonlySet<number> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
]);

/** Calls methods with messages that are bytes. */
export class GrpcSender {
  readonly #client: Client;
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.enable_retries': 0,
    });
  }

  send(sent: GrpcCase): Promise<Answer> {
    const metadata = new Metadata();
    metadata.set('x-request-id', `fuzz-${sent.number}`);
    for (const [name, value] of Object.entries(sent.metadata)) {
      metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'latin1') : value);
    }
    const options = sent.deadlineMs === undefined ? {} : { deadline: Date.now() + sent.deadlineMs };
    return this.#settle((end) => {
      let wrong: string | undefined;
      const { path, steps } = sent;
      // One way to call them all: a stream of one message is a unary call.
      const call = this.#client.makeBidiStreamRequest(path, asIs, asIs, metadata, options);
      call.on('data', (bytes: Buffer) => {
        if (sent.streams) wrong ??= wrongFailure(bytes);
      });
      call.on('error', () => undefined);
      call.once('status', (ended: StatusObject) => {
        const reason = reasonOf(ended);
        end(
          `grpc ${ended.code}${reason === undefined ? '' : ` ${reason}`}`,
          wrong ?? wrongStatus(ended, reason),
        );
      });
      void (async () => {
        for (const step of steps) {
          if (step.do === 'send') call.write(step.message);
          else if (step.do === 'pause') await pause(step.ms);
          else call.cancel();
        }
        call.end();
      })();
      return () => call.cancel();
    });
  }

  /** On a connection of its own, which it may break. */
  sendFrames({ headers, bytes, reset }: FramesCase): Promise<Answer> {
    return this.#settle((end) => {
      const session: ClientHttp2Session = connect(`http://${this.#address}`);
      session.on('error', () => undefined);
      const stream = session.request(headers);
      let code: string | undefined;
      const note = (got: IncomingHttpHeaders & IncomingHttpStatusHeader): void => {
        const [grpcStatus] = [got['grpc-status']].flat();
        if (grpcStatus !== undefined) code = `grpc ${grpcStatus}`;
        else if (got[':status'] !== undefined && got[':status'] !== 200) code ??= `http ${got[':status']}`;
      };
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('error', () => undefined);
      stream.once('close', () => {
        session.destroy();
        end(code ?? 'closed');
      });
      stream.resume();
      stream.write(bytes);
      if (reset) stream.close(8);
      else stream.end();
      return () => session.destroy();
    });
  }

  close(): void {
    this.#client.close();
  }

  #settle(start: (end: (ending: string, wrong?: string) => void) => () => void): Promise<Answer> {
    const startedMs = performance.now();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const give = (ending: string, wrong?: string): void => {
        clearTimeout(timer);
        const ms = performance.now() - startedMs;
        resolve(wrong === undefined ? { ending, ms } : { ending, ms, wrong });
      };
      const giveUp = start(give);
      timer = setTimeout(() => {
        give('hang');
        giveUp();
      }, hangMs);
    });
  }
}

/** ErrorInfo's reason in google.rpc.Status: an Any whose value has the reason and then the domain. */
function reasonOf({ metadata }: StatusObject): string | undefined {
  const [details] = metadata.get('grpc-status-details-bin');
  if (!(details instanceof Buffer)) return undefined;
  return /google\.rpc\.ErrorInfo[^a-z]+([a-z_]+)[^a-z]+siglip-hd/.exec(details.toString('latin1'))?.[1];
}

function wrongStatus({ code, details }: StatusObject, reason: string | undefined): string | undefined {
  if (reason === undefined)
    return explained.has(code) ? `status ${code} without an ErrorInfo: ${details}` : undefined;
  return wrongDetail(details);
}

/** What is wrong with a message of StreamEncode: that an image failed by the service's own fault. */
function wrongFailure(bytes: Buffer): string | undefined {
  const failure = readStreamed(bytes);
  if (failure === undefined) return undefined;
  const own = ['internal', 'unavailable', 'overloaded'].includes(failure.reason);
  return own ? `an image of the stream failed: ${failure.reason}` : wrongDetail(failure.message);
}
