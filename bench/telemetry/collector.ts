// A collector that takes traces and forgets them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reply } from '../processes/children.ts';
import type { Listening } from '../transport/answer.ts';

const server = createServer((request, response) => {
  request
    .resume()
    .once('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
server.listen(0, '127.0.0.1', () => {
  reply({ httpPort: (server.address() as AddressInfo).port } satisfies Listening);
});
