import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { startService } from '../src/service.ts';
import { until } from './support/gated-encoder.ts';
import { imageBytes } from './support/golden.ts';
import { serviceConfig } from './support/service-config.ts';
import { importFixture, scratchFolder } from './support/tiny-models.ts';

test('a body that finds no room is refused before it is read, and room comes back when a client goes', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const config = serviceConfig({ models: [{ folder }], maxBodyBytes: 150_000, maxInflightBytes: 200_000 });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const url = `http://127.0.0.1:${service.httpPort}`;
  const encode = () => fetch(`${url}/v1/encode`, { method: 'POST', body: imageBytes('rocket.jpg') });
  const inflight = async () =>
    Number(
      /^siglip_hd_inflight_requests\{transport="http"\} (\d+)$/m.exec(
        await (await fetch(`${url}/metrics`)).text(),
      )![1],
    );

  const slow = connect(service.httpPort, '127.0.0.1');
  slow.write('POST /v1/encode HTTP/1.1\r\nhost: x\r\ncontent-length: 120000\r\n\r\n');
  // The question itself is the other request under way.
  while ((await inflight()) < 2);
  const refused = await encode();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(((await refused.json()) as { code: string }).code, 'overloaded');
  slow.destroy();
  let gone = false;
  slow.once('close', () => {
    gone = true;
  });
  await until(() => gone);
  while ((await inflight()) > 1);
  assert.equal((await encode()).status, 200);
});
