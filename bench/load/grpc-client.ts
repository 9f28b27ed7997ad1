import { Client as Channel, credentials } from '@grpc/grpc-js';
import { encodePath, readTimings } from './messages.ts';
import type { Answer, Client, Target } from './target.ts';

const same = (bytes: Buffer): Buffer => bytes;

/** grpc-js with a window that an answer fits in; messages are sent and taken as bytes, not as objects. */
export function grpcClient({ address, message }: Extract<Target, { transport: 'grpc' }>): Client {
  const channel = new Channel(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc-node.flow_control_window': 8 * 2 ** 20,
    // A connection of its own.
    'grpc.use_local_subchannel_pool': 1,
  });
  const bytes = Buffer.from(message);
  return {
    ask: () =>
      new Promise<Answer>((resolve, reject) => {
        channel.makeUnaryRequest(encodePath, same, same, bytes, (error, answer) => {
          if (error !== null) reject(error);
          else if (answer === undefined) reject(new Error(`${address} answered nothing`));
          else resolve({ sizeBytes: answer.byteLength, stagesMs: () => readTimings(answer) });
        });
      }),
    close: () => channel.close(),
  };
}
