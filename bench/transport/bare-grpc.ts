// The least that grpc-js can do: take the request as bytes, answer a message that was encoded beforehand.
// Arguments: channels; `hash` to take the message's SHA-256.
import { createHash } from 'node:crypto';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { reply } from '../processes/children.ts';
import { encodePath, encodeResponseMessage } from '../load/messages.ts';
import { answerTokens, type Listening, shape } from './answer.ts';

const channels = Number(process.argv[2] ?? shape[1]);
const message = encodeResponseMessage([shape[0], channels], answerTokens(channels));
const hashes = process.argv.includes('hash');
const same = (bytes: Buffer): Buffer => bytes;
const encode: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
  if (hashes) createHash('sha256').update(request).digest('hex');
  callback(null, message);
};

const server = new Server({ 'grpc.max_receive_message_length': -1 });
server.addService(
  {
    encode: {
      path: encodePath,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  { encode },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, grpcPort) => {
  if (error !== null) throw error;
  reply({ grpcPort } satisfies Listening);
});
