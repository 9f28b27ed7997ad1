// The least that node:http can do: read the body, answer one buffer. Arguments: channels; `hash` to take the
// body's SHA-256.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reply } from '../processes/children.ts';
import { answerTokens, type Listening, shape } from './answer.ts';

const hashes = process.argv.includes('hash');
const tokens = answerTokens(Number(process.argv[2] ?? shape[1]));
const headers = { 'content-type': 'application/octet-stream', 'content-length': tokens.byteLength };

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .once('end', () => {
      const body = Buffer.concat(chunks);
      if (hashes) createHash('sha256').update(body).digest('hex');
      response.writeHead(200, headers).end(tokens);
    });
});
server.listen(0, '127.0.0.1', () => {
  reply({ httpPort: (server.address() as AddressInfo).port } satisfies Listening);
});
