// Two services behind a real nginx with the configuration that is shipped, one after the other stopped and started
// again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { externalTest } from '../support/external.ts';
import { imageBytes } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { missingNginx, startBehindNginx } from '../support/nginx.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

const scratch = scratchFolder();
after(() => scratch.remove());

/**
 * Resolves when the service has answered over both transports: nginx looks at one that refused it again after two
 * seconds.
 */
async function hasTraffic(port: number): Promise<void> {
  const answered = (text: string, transport: string) =>
    new RegExp(`requests_total\\{transport="${transport}",endpoint="encode",code="ok"`).test(text);
  await until(async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return answered(text, 'http') && answered(text, 'grpc');
  });
}

externalTest(
  'nginx balances over two services, and no request fails while each is drained and started again',
  missingNginx,
  async (t) => {
    const model = await importFixture(scratch.path, 'siglip-tiny');
    const args = ['--model', model, '--drain-delay-ms=300', '--warm-up-ms=100'];
    const folder = join(scratch.path, 'nginx');
    const { services, ports, http, grpc } = await startBehindNginx(t, folder, args);

    const image = imageBytes('rocket.jpg');
    const outcomes: string[] = [];
    const over = new AbortController();
    const overHttp = async () => {
      while (!over.signal.aborted) {
        const answer = await fetch(`http://127.0.0.1:${http}/v1/encode?format=raw`, {
          method: 'POST',
          body: image,
          headers: { 'cache-control': 'no-store' },
        });
        const { byteLength } = await answer.arrayBuffer();
        outcomes.push(answer.status === 200 && byteLength === 65_536 ? 'http ok' : `http ${answer.status}`);
      }
    };
    const overGrpc = async (client: TestClient) => {
      while (!over.signal.aborted) {
        const metadata = { 'cache-control': 'no-store' };
        const { response, error } = await client.call<EncodeResponse>(
          'Encode',
          { image: { file: image } },
          { metadata },
        );
        const isWhole = response?.tensor.data.byteLength === 65_536;
        outcomes.push(isWhole ? 'grpc ok' : `grpc ${error?.code} ${error?.details}`);
      }
    };
    // As docs/grpc.md advises.
    const retryPolicy = {
      maxAttempts: 4,
      initialBackoff: '0.05s',
      maxBackoff: '1s',
      backoffMultiplier: 2,
      retryableStatusCodes: ['UNAVAILABLE'],
    };
    const serviceConfig = JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy }] });
    const clients = [0, 1, 2].map(
      () =>
        new TestClient(grpc, 'siglip_hd.v1.VisualEncoderService', undefined, {
          'grpc.service_config': serviceConfig,
        }),
    );
    t.after(() => clients.forEach((client) => client.close()));
    const load = [...[0, 1, 2].map(overHttp), ...clients.map(overGrpc)];

    const exitCodes: (number | null)[] = [];
    for (const [index, service] of services.entries()) {
      const before = outcomes.length;
      await until(() => outcomes.length >= before + 60);
      exitCodes.push(await service.stop());
      await service.start();
      await hasTraffic(ports[index]!.http);
    }
    over.abort();
    await Promise.all(load);

    assert.deepEqual(exitCodes, [0, 0]);
    t.diagnostic(
      `${outcomes.length} requests, ${outcomes.filter((one) => one === 'grpc ok').length} of them gRPC`,
    );
    assert.deepEqual([...new Set(outcomes)].toSorted(), ['grpc ok', 'http ok']);
    const lines = readFileSync(join(scratch.path, 'nginx/access.log'), 'utf8').trim().split('\n');
    for (const { http: httpPort, grpc: grpcPort } of ports) {
      for (const port of [httpPort, grpcPort]) {
        const share = lines.filter((line) => line.includes(`127.0.0.1:${port} `)).length / lines.length;
        t.diagnostic(`${port}: ${(100 * share).toFixed(0)} % of ${lines.length}`);
        assert.ok(share > 0.1, `${port} has ${share} of the requests`);
      }
    }
  },
);
