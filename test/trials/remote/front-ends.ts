// One and two services over one remote engine that takes a known time a view; test/trials/remote/README.md says how.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { freePort } from '../../../bench/processes/free-port.ts';
import { readModelFolder } from '../../../src/model/load-folder.ts';
import { encoderSignature } from '../../../src/model/signature.ts';
import { imageBytes } from '../../support/golden.ts';
import { ServiceProcess } from '../../support/service-process.ts';
import { importFixture } from '../../support/tiny-models.ts';

const [viewMs = 20, seconds = 10, clients = 16] = process.argv.slice(2, 5).map(Number);
const flags = process.argv.slice(5);
const rounds = 2;
const scratch = mkdtempSync(join(tmpdir(), 'front-ends-'));
const image = imageBytes('rocket.jpg');
const services: ServiceProcess[] = [];

/** Starts a service, which is in `services` from then on. Gives its URL. */
async function startFrontEnd(folder: string, enginePort: number): Promise<string> {
  const ports = { http: await freePort(), grpc: await freePort() };
  const args = [`--model=tiny=${folder}`, `--remote-engine=tiny=grpc://127.0.0.1:${enginePort}`];
  const service = new ServiceProcess([...args, '--cache-bytes=0', '--view-threads=1', ...flags], ports);
  services.push(service);
  await service.start();
  return `http://127.0.0.1:${ports.http}/v1/encode?format=raw`;
}

interface Measured {
  readonly timesMs: number[];
  lost: number;
}

/** Closed loops of clients over the front ends, each with its share of them. */
async function load(frontEnds: readonly string[], lastsMs: number): Promise<readonly Measured[]> {
  const start = performance.now();
  return await Promise.all(
    frontEnds.map(async (url) => {
      const measured: Measured = { timesMs: [], lost: 0 };
      await Promise.all(
        Array.from({ length: clients / frontEnds.length }, async (_, client) => {
          while (performance.now() - start < lastsMs) {
            const sentAt = performance.now();
            // Bytes after a JPEG's end make it another picture, which no other request's answer serves.
            const body = Buffer.concat([image, Buffer.from(`${client} ${sentAt}`)]);
            const answer = await fetch(url, { method: 'POST', body }).catch(() => undefined);
            await answer?.arrayBuffer();
            if (answer?.status === 200) measured.timesMs.push(performance.now() - sentAt);
            else measured.lost++;
          }
        }),
      );
      return measured;
    }),
  );
}

const quantile = (timesMs: readonly number[], share: number): string =>
  timesMs.toSorted((a, b) => a - b)[Math.floor(share * timesMs.length)]?.toFixed(0) ?? 'none';

try {
  const folder = await importFixture(scratch, 'siglip-tiny', { imageSize: 256 });
  const signature = encoderSignature(await readModelFolder(folder));
  const engine = new Worker(new URL('../../support/inference-server-thread.js', import.meta.url), {
    workerData: { signature, model: 'tiny', viewMs },
  });
  const [port] = (await once(engine, 'message')) as [number];
  const both: string[] = [];
  // One after the other, so that neither measures the engine while the other does.
  for (let index = 0; index < 2; index++) both.push(await startFrontEnd(folder, port));
  for (let round = 0; round < rounds; round++) {
    for (const frontEnds of [both.slice(0, 1), both]) {
      const startedAt = performance.now();
      const measured = await load(frontEnds, seconds * 1000);
      const lastedS = (performance.now() - startedAt) / 1000;
      const each = measured.map(
        ({ timesMs, lost }) =>
          `${(timesMs.length / lastedS).toFixed(1)}/s, p50 ${quantile(timesMs, 0.5)}, p99 ${quantile(timesMs, 0.99)} ms, ${lost} lost`,
      );
      const total = measured.reduce((sum, { timesMs }) => sum + timesMs.length, 0) / lastedS;
      console.log(`${frontEnds.length} front ends: ${total.toFixed(1)}/s; each ${each.join('; ')}`);
    }
  }
} finally {
  for (const service of services) service.kill();
  rmSync(scratch, { recursive: true });
}
process.exit();
