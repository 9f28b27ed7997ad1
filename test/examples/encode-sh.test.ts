import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { externalTest, runProgram } from '../support/external.ts';

const image = 'test/fixtures/images/rocket.jpg';
const tokens = 'test/fixtures/expected/encode-rocket.jpg.npy';

/** The service's URL: SIGLIPHD_URL, or a stand-in that answers the request the README shows, and no other. */
async function url(t: TestContext): Promise<string> {
  const given = process.env.SIGLIPHD_URL;
  if (given !== undefined) return given;
  const sent = await readFile(image);
  const answer = await readFile(tokens);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const expected = request.method === 'POST' && request.url === '/v1/encode?dtype=float16';
      if (!expected || !Buffer.concat(chunks).equals(sent)) return response.writeHead(404).end();
      response.setHeader('tokens-meta', '{"shape":[1024,24]}').setHeader('server-timing', 'decode;dur=1');
      return response.end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

externalTest(
  'encode.sh saves an .npy and prints what the answer says of itself',
  async () => ((await runProgram('curl', ['--version'])).exitCode === 0 ? undefined : 'there is no curl'),
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-curl-'));
    t.after(() => rm(folder, { recursive: true }));
    const saved = join(folder, 'tokens.npy');
    const { exitCode, stdout, stderr } = await runProgram('sh', ['examples/encode.sh', image, saved], {
      SIGLIPHD_URL: await url(t),
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal((await readFile(saved)).toString('latin1', 0, 6), '\x93NUMPY');
    assert.match(stdout, /^tokens-meta: \{.*"shape"/im);
    assert.match(stdout, /^server-timing: .*decode/im);
  },
);
