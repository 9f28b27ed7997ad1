// The least that node:http can do: read the body, answer one buffer. Argument: channels.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reply } from '../children.ts';
import { answerTokens, type Listening, shape } from './answer.ts';

const tokens = answerTokens(Number(process.argv[2] ?? shape[1]));
const headers = { 'content-type': 'application/octet-stream', 'content-length': tokens.byteLength };

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .once('end', () => {
      Buffer.concat(chunks);
      response.writeHead(200, headers).end(tokens);
    });
});
server.listen(0, '127.0.0.1', () => {
  reply({ httpPort: (server.address() as AddressInfo).port } satisfies Listening);
});
