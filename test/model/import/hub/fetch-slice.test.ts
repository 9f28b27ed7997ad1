import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { readHubAccess } from '../../../../src/model/import/hub/access.ts';
import { fetchCheckpoint, type FetchOptions } from '../../../../src/model/import/hub/fetch-checkpoint.ts';
import { importModel } from '../../../../src/model/import/import-model.ts';
import { HubServer } from '../../../support/hub-server.ts';
import { decodeSafetensors, encodeSafetensors, type TestTensor } from '../checkpoints.ts';

const repository = 'owner/vlm-tiny';
const weights = 'model.safetensors';
const bigBytes = 20e6;

/** A hub with the checkpoint of a fixture, an empty cache, and fetches that wait no time between tries. */
async function setUp(t: TestContext, fixture = 'llava-next') {
  const hub = await HubServer.open(t, repository, join('test/fixtures/vlm-checkpoints', fixture));
  const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-hub-'));
  t.after(() => rm(folder, { recursive: true }));
  const access = (env: Record<string, string>) =>
    readHubAccess({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(folder, 'cache'), ...env });
  const fetch = (options: Partial<FetchOptions> = {}, env: Record<string, string> = {}) =>
    fetchCheckpoint(repository, {
      revision: 'main',
      access: access(env),
      wait: () => Promise.resolve(),
      ...options,
    });
  const imported = async (source: string, name: string) => {
    const out = join(folder, name);
    return importModel({ source, out, precision: 'fp32' });
  };
  return { hub, fetch, imported };
}

/** Adds a large tensor of a language model, at the beginning or the end of the file. */
function enlarge(hub: HubServer, where: 'first' | 'last'): void {
  const tensors = [...decodeSafetensors(hub.file(weights))];
  const data = Buffer.alloc(bigBytes);
  const tensor: TestTensor = { dtype: 'F32', shape: [bigBytes / 4], data };
  const big: [string, TestTensor] = ['language_model.big', tensor];
  const all = where === 'first' ? [big, ...tensors] : [...tensors, big];
  hub.setFile(weights, encodeSafetensors(new Map(all)));
}

describe('the checkpoint of a vision language model on the hub', () => {
  test('comes without the bytes of its language model, and imports to the same model', async (t) => {
    const { hub, fetch, imported } = await setUp(t);
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-next', 'whole');
    for (const where of ['first', 'last'] as const) {
      enlarge(hub, where);
      hub.commit = (where === 'first' ? 'a' : 'b').repeat(40);
      hub.servedBytes = 0;
      const progress: (readonly [number, number])[] = [];
      const { folder, commit } = await fetch({ onProgress: (done, total) => progress.push([done, total]) });
      assert.equal(commit, hub.commit);
      assert.ok(hub.servedBytes < bigBytes / 10, `${hub.servedBytes} bytes`);
      assert.equal((await imported(folder, where)).digest, whole.digest);
      const [done, total] = progress.at(-1)!;
      assert.equal(done, total);
    }
  });

  test('of several shards comes without those of its language model', async (t) => {
    const { hub, fetch, imported } = await setUp(t, 'llava-original');
    const name = 'model.safetensors.index.json';
    const index = JSON.parse(hub.file(name).toString()) as { weight_map: Record<string, string> };
    index.weight_map['model.layers.1.mlp.up_proj.weight'] = 'model-00003-of-00003.safetensors';
    hub.setFile(name, Buffer.from(JSON.stringify(index)));
    hub.setFile('model-00003-of-00003.safetensors', Buffer.alloc(10));
    const { folder } = await fetch();
    assert.ok(hub.asked().every((line) => !line.includes('00003')));
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-original', 'whole');
    assert.equal((await imported(folder, 'out')).digest, whole.digest);
  });

  test('is not asked for twice, and imports without the hub afterwards', async (t) => {
    const { hub, fetch } = await setUp(t);
    const { folder, commit } = await fetch();
    hub.asked();
    assert.equal((await fetch({ revision: commit })).folder, folder);
    assert.equal((await fetch()).folder, folder);
    assert.deepEqual(hub.asked(), ['GET hub main']);
    assert.equal((await fetch({}, { HF_HUB_OFFLINE: '1' })).folder, folder);
  });

  test('is fetched again where the cache lacks tensors that are needed now', async (t) => {
    const { hub, fetch, imported } = await setUp(t);
    const { folder } = await fetch();
    const whole = await imported(folder, 'whole');
    const path = join(folder, weights);
    const tensors = decodeSafetensors(readFileSync(path));
    for (const part of ['image_newline', 'multi_modal_projector']) {
      for (const name of tensors.keys()) if (name.includes(part)) tensors.delete(name);
      writeFileSync(path, encodeSafetensors(tensors));
      await assert.rejects(fetch({}, { HF_HUB_OFFLINE: '1' }), { message: /nor complete in/ });
      assert.equal((await fetch({ revision: hub.commit })).folder, folder);
      assert.equal((await imported(folder, part)).digest, whole.digest);
    }
  });

  for (const [what, headerBytes, fileBytes, message] of [
    ['more than 16 MiB', 17e6, 18e6, 'has a header of 17000000 bytes; at most 16777216 are read'],
    [
      'more than the file',
      1000,
      500,
      'is truncated, or not a safetensors file: it has 500 bytes and its header needs more',
    ],
    ['nothing', 0, 4, 'is truncated, or not a safetensors file: it has 4 bytes and its header needs more'],
  ] as const) {
    test(`is refused in the words of a folder's import where its header has ${what}`, async (t) => {
      const { hub, fetch } = await setUp(t);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(headerBytes));
      hub.setFile(weights, Buffer.concat([length, Buffer.alloc(fileBytes)]).subarray(0, fileBytes));
      await assert.rejects(fetch(), { code: 'invalid_argument', message: `${weights} ${message}.` });
    });
  }

  test('comes to all who fetch it at the same time', async (t) => {
    const { fetch, imported } = await setUp(t);
    const fetched = await Promise.all(Array.from({ length: 8 }, () => fetch()));
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-next', 'whole');
    assert.equal((await imported(fetched[0]!.folder, 'out')).digest, whole.digest);
  });

  test('goes on where the connection was cut', async (t) => {
    const { hub, fetch, imported } = await setUp(t);
    enlarge(hub, 'first');
    hub.faults.drops = [Infinity, 50_000, 30_000];
    const { folder } = await fetch();
    assert.ok(hub.servedBytes < bigBytes / 10, `${hub.servedBytes} bytes`);
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-next', 'whole');
    assert.equal((await imported(folder, 'out')).digest, whole.digest);
  });

  test('comes whole from a hub that gives no parts of files', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.faults.ignoresRange = true;
    const { folder } = await fetch();
    assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
  });

  test('is refused in one line where the hub gives more than the part that was asked for', async (t) => {
    const { hub, fetch } = await setUp(t);
    enlarge(hub, 'last');
    for (const extra of [[5], [0, 5]]) {
      hub.faults.extra = extra;
      await assert.rejects(fetch(), {
        code: 'invalid_argument',
        message: 'The hub gave more of model.safetensors than was asked for.',
      });
    }
    const { folder } = await fetch();
    assert.ok(readdirSync(folder).includes(weights), 'a hub that answers as asked is read from the start');
  });

  test('of several shards takes each tensor from the shard that the index names', async (t) => {
    const { hub, fetch, imported } = await setUp(t, 'llava-original');
    const index = JSON.parse(hub.file('model.safetensors.index.json').toString()) as {
      weight_map: Record<string, string>;
    };
    const tensor = 'model.mm_projector.0.weight';
    const named = index.weight_map[tensor]!;
    const other = Object.values(index.weight_map).find((file) => file !== named)!;
    const { dtype, shape, data } = decodeSafetensors(hub.file(named)).get(tensor)!;
    const stale = new Map([
      ...decodeSafetensors(hub.file(other)),
      [tensor, { dtype, shape, data: Buffer.alloc(data.length) }],
    ]);
    hub.setFile(other, encodeSafetensors(stale));
    const { folder } = await fetch();
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-original', 'whole');
    assert.equal((await imported(folder, 'out')).digest, whole.digest);
  });

  test('is the same model where one prefix stands before all its tensors', async (t) => {
    const { hub, fetch, imported } = await setUp(t, 'llava-clip');
    const tensors = decodeSafetensors(hub.file(weights));
    const wrapped = new Map([...tensors].map(([name, tensor]) => [`module.${name}`, tensor]));
    hub.setFile(weights, encodeSafetensors(wrapped));
    const { folder } = await fetch();
    const whole = await imported('test/fixtures/vlm-checkpoints/llava-clip', 'whole');
    assert.equal((await imported(folder, 'out')).projector?.digest, whole.projector?.digest);
  });

  test('gives its projector alone where only that is wanted', async (t) => {
    const { fetch } = await setUp(t, 'llava-original-no-tower');
    const { folder } = await fetch({ part: 'projector' });
    const names = [...decodeSafetensors(readFileSync(join(folder, weights))).keys()];
    assert.deepEqual(names.toSorted(), [
      'model.mm_projector.0.bias',
      'model.mm_projector.0.weight',
      'model.mm_projector.2.bias',
      'model.mm_projector.2.weight',
    ]);
  });

  test('is refused before its tensors are downloaded where it has no tower', async (t) => {
    const { hub, fetch } = await setUp(t, 'llava-original-no-tower');
    enlarge(hub, 'last');
    await assert.rejects(fetch(), {
      code: 'invalid_argument',
      message:
        /no vision tower of its own; it uses openai\/clip-vit-large-patch14-336\. To import both: .* --projector owner\/vlm-tiny --out FOLDER$/,
    });
    assert.ok(hub.servedBytes < bigBytes / 10, `${hub.servedBytes} bytes`);
  });

  test('of several shards is refused likewise, by its index', async (t) => {
    const { hub, fetch } = await setUp(t, 'llava-original-no-tower');
    const shard = 'model-00001-of-00001.safetensors';
    const names = [...decodeSafetensors(hub.file(weights)).keys()];
    const index = { weight_map: Object.fromEntries(names.map((name) => [name, shard])) };
    hub.setFile('model.safetensors.index.json', Buffer.from(JSON.stringify(index)));
    hub.setFile(shard, hub.file(weights));
    hub.setFile(weights, undefined);
    await assert.rejects(fetch(), { code: 'invalid_argument', message: /it uses openai\/clip-vit/ });
    assert.ok(hub.asked().every((line) => !line.includes(shard)));
  });
});
