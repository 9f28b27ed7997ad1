import { Agent, request } from 'node:http';
import type { Answer, Client, Target } from './target.ts';

/** Plain node:http with kept connections; the answer's bytes are counted and dropped. */
export function httpClient(
  { url, body, cached }: Extract<Target, { transport: 'http' }>,
  connections: number,
): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const asking = {
    'content-length': body.byteLength,
    ...(cached === true ? {} : { 'cache-control': 'no-store' }),
  };
  const options = {
    agent,
    method: 'POST',
    headers: asking,
  };
  return {
    ask: () =>
      new Promise<Answer>((resolve, reject) => {
        const asked = request(url, options, (response) => {
          let sizeBytes = 0;
          response.on('data', (chunk: Buffer) => {
            sizeBytes += chunk.byteLength;
          });
          response.once('error', reject);
          response.once('end', () => {
            const { statusCode, headers } = response;
            if (statusCode !== 200) reject(new Error(`${url} answered ${statusCode}`));
            else resolve({ sizeBytes, stagesMs: () => parseServerTiming(String(headers['server-timing'])) });
          });
        });
        asked.once('error', reject);
        asked.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Reads a Server-Timing value: `decode;dur=1.25, views;dur=2`. */
export function parseServerTiming(header: string): Record<string, number> {
  const stages = header.matchAll(/(\w+);dur=([\d.]+)/g);
  return Object.fromEntries([...stages].map(([, stage, ms]) => [stage, Number(ms)]));
}
