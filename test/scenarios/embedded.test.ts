// The embedded models, as the service serves them without --model.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { embeddedNames, type EmbeddedName } from '../../src/model/model.ts';
import { type Service, startService } from '../../src/service.ts';
import { imageBytes, valuesOf } from '../support/golden.ts';
import { serviceConfig } from '../support/service-config.ts';
import { scratchFolder } from '../support/tiny-models.ts';

/** Some tokens that transformers gives, made by embedded-tokens.py. */
interface Expected {
  readonly image: string;
  readonly rows: readonly number[];
  readonly models: Readonly<Record<EmbeddedName, readonly (readonly number[])[]>>;
}

const expected = JSON.parse(readFileSync('test/fixtures/embedded-tokens.json', 'utf8')) as Expected;
const tolerance = 1e-4;

const scratch = scratchFolder();
let service: Service;
before(async () => {
  const config = serviceConfig({ models: [], cacheDir: scratch.path });
  service = await startService(config, pino({ level: 'silent' }), () => {});
});
after(async () => {
  await service.close();
  scratch.remove();
});

for (const name of embeddedNames) {
  test(`${name} gives the tokens that transformers gives of its checkpoint`, async () => {
    const url = `http://127.0.0.1:${service.httpPort}/v1/encode?model=${name}&dtype=float32&format=raw`;
    const answer = await fetch(url, { method: 'POST', body: imageBytes(expected.image) });
    const tokens = valuesOf(Buffer.from(await answer.arrayBuffer()), 'float32');
    const wanted = expected.models[name];
    const [{ length: channels }] = wanted as [readonly number[]];
    assert.equal(tokens.length, 1024 * channels);
    for (const [index, row] of expected.rows.entries()) {
      for (const [channel, want] of wanted[index]!.entries()) {
        const got = tokens[row * channels + channel]!;
        assert.ok(Math.abs(got - want) <= tolerance, `token ${row}, channel ${channel}: ${got}, not ${want}`);
      }
    }
  });
}
