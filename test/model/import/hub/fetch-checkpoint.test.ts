import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { RepositoryCache } from '../../../../src/model/import/hub/cache.ts';
import { readHubAccess } from '../../../../src/model/import/hub/access.ts';
import { fetchCheckpoint, type FetchOptions } from '../../../../src/model/import/hub/fetch-checkpoint.ts';
import { importModel } from '../../../../src/model/import/import-model.ts';
import { type HubOptions, HubServer } from '../../../support/hub-server.ts';

const repository = 'google/siglip-tiny';
const token = 'hf_secretsecret';
const weights = 'model.safetensors';

/** A hub with a fixture's files, an empty cache, and fetches that wait no time between tries. */
async function setUp(t: TestContext, fixture = 'siglip-tiny', served: HubOptions = {}) {
  const hub = await HubServer.open(t, repository, join('test/fixtures', fixture), served);
  const cacheFolder = await mkdtemp(join(tmpdir(), 'siglip-hd-hub-'));
  t.after(() => rm(cacheFolder, { recursive: true }));
  // It is asked for after it was closed, too.
  const { endpoint } = hub;
  const waits: number[] = [];
  const said: string[] = [];
  const fetch = (env: Record<string, string> = {}, options: Partial<FetchOptions> = {}) =>
    fetchCheckpoint(repository, {
      revision: 'main',
      access: readHubAccess({ HF_ENDPOINT: endpoint, HF_TOKEN: token, HF_HUB_CACHE: cacheFolder, ...env }),
      onCached: (sentence) => said.push(sentence),
      wait: async (waitMs) => waits.push(waitMs),
      ...options,
    });
  const blobs = () => readdirSync(join(cacheFolder, 'models--google--siglip-tiny', 'blobs'));
  return { hub, cacheFolder, fetch, waits, said, blobs };
}

describe('a checkpoint on the hub', () => {
  test('is downloaded into the layout of huggingface_hub, and imports', async (t) => {
    const { hub, cacheFolder, fetch } = await setUp(t);
    const { folder, commit } = await fetch();
    assert.equal(commit, hub.commit);
    const root = join(cacheFolder, 'models--google--siglip-tiny');
    assert.equal(folder, join(root, 'snapshots', commit));
    assert.equal(readFileSync(join(root, 'refs/main'), 'utf8'), commit);
    assert.ok(lstatSync(join(folder, weights)).isSymbolicLink());
    assert.match(readlinkSync(join(folder, weights)), /^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
    const out = join(cacheFolder, 'out');
    const origin = { source: repository, revision: commit };
    await importModel({ source: folder, origin, out, features: ['last_hidden_state'], precision: 'fp32' });
    const { provenance } = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')) as {
      provenance: object;
    };
    assert.deepEqual(provenance, { ...origin, storedDtype: 'F32' });
  });

  test('comes without files that an import does not need', async (t) => {
    const { hub, fetch } = await setUp(t);
    await fetch();
    const files = new Set(hub.asked().map((line) => line.split(' ')[2]));
    assert.deepEqual(files, new Set(['main', 'config.json', 'preprocessor_config.json', weights]));
  });

  test('comes without shards that hold nothing of the vision tower', async (t) => {
    const { hub, fetch } = await setUp(t, 'siglip-tiny-sharded');
    const name = 'model.safetensors.index.json';
    const index = JSON.parse(hub.file(name).toString()) as { weight_map: Record<string, string> };
    index.weight_map['text_model.head.weight'] = 'model-00003-of-00003.safetensors';
    hub.setFile(name, Buffer.from(JSON.stringify(index)));
    hub.setFile('model-00003-of-00003.safetensors', Buffer.alloc(10));
    const { folder } = await fetch();
    assert.deepEqual(
      readdirSync(folder).filter((file) => file.endsWith('.safetensors')),
      ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
    );
    assert.ok(hub.asked().every((line) => !line.includes('00003')));
  });

  test('comes without such shards whatever prefix its tensors have', async (t) => {
    const { hub, fetch } = await setUp(t, 'siglip-tiny-sharded');
    const name = 'model.safetensors.index.json';
    const index = JSON.parse(hub.file(name).toString()) as { weight_map: Record<string, string> };
    const prefixed = Object.entries(index.weight_map).map(([tensor, file]) => [
      `model.vision_tower.${tensor}`,
      file,
    ]);
    index.weight_map = {
      ...Object.fromEntries(prefixed),
      'lm_head.weight': 'model-00003-of-00003.safetensors',
    };
    hub.setFile(name, Buffer.from(JSON.stringify(index)));
    hub.setFile('model-00003-of-00003.safetensors', Buffer.alloc(10));
    await fetch();
    assert.ok(hub.asked().every((line) => !line.includes('00003')));
  });

  test('comes with processor_config.json, beside preprocessor_config.json or without it', async (t) => {
    const { hub, fetch } = await setUp(t);
    const processor = Buffer.from('{"image_processor":{}}');
    hub.setFile('processor_config.json', processor);
    const both = await fetch();
    assert.deepEqual(readFileSync(join(both.folder, 'processor_config.json')), processor);
    assert.ok(readdirSync(both.folder).includes('preprocessor_config.json'));
    hub.commit = 'c'.repeat(40);
    hub.setFile('preprocessor_config.json', undefined);
    const alone = await fetch();
    assert.deepEqual(readdirSync(alone.folder), ['config.json', weights, 'processor_config.json']);
    assert.equal((await fetch({ HF_HUB_OFFLINE: '1' })).folder, alone.folder);
  });

  test('that another program has cached without processor_config.json is completed before it is used', async (t) => {
    const { hub, cacheFolder, fetch } = await setUp(t);
    hub.setFile('processor_config.json', Buffer.from('{"image_processor":{}}'));
    const { folder, commit } = await fetch();
    rmSync(join(folder, 'processor_config.json'));
    hub.asked();
    await fetch({}, { revision: commit });
    assert.ok(readdirSync(folder).includes('processor_config.json'));
    assert.deepEqual(hub.asked(), [`GET hub ${commit}`, 'HEAD hub processor_config.json']);
    // As transformers notes it where it has looked for the file.
    const missing = join(cacheFolder, 'models--google--siglip-tiny', '.no_exist', commit);
    rmSync(join(folder, 'processor_config.json'));
    mkdirSync(missing, { recursive: true });
    writeFileSync(join(missing, 'processor_config.json'), '');
    await fetch({}, { revision: commit });
    assert.deepEqual(hub.asked(), []);
  });

  test('that is complete in the cache is used by its commit, although the hub has closed the repository', async (t) => {
    const { hub, cacheFolder, fetch, said } = await setUp(t);
    const { folder, commit } = await fetch();
    rmSync(join(cacheFolder, 'models--google--siglip-tiny', '.no_exist'), { recursive: true });
    hub.faults.refuse = { path: '/api/', status: 401, code: 'GatedRepo' };
    assert.equal((await fetch({}, { revision: commit })).folder, folder);
    assert.match(said[0]!, /is gated.* Using google\/siglip-tiny from the cache/);
    await assert.rejects(fetch(), { message: /is gated/ });
  });

  test('has its weights from pytorch_model.bin where it has no safetensors', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.setFile(weights, undefined);
    const { folder, commit } = await fetch();
    assert.deepEqual(readFileSync(join(folder, 'pytorch_model.bin')), hub.file('pytorch_model.bin'));
    assert.equal(commit, hub.commit);
    hub.asked();
    assert.equal((await fetch({ HF_HUB_OFFLINE: '1' })).folder, folder);
    assert.deepEqual(hub.asked(), []);
  });

  test('has its weights from the shards of pytorch_model.bin where there is nothing else', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.setFile(weights, undefined);
    hub.setFile('pytorch_model.bin', undefined);
    const weight_map = {
      'vision_model.embeddings.patch_embedding.weight': 'pytorch_model-00001-of-00002.bin',
      'text_model.head.weight': 'pytorch_model-00002-of-00002.bin',
    };
    hub.setFile('pytorch_model.bin.index.json', Buffer.from(JSON.stringify({ weight_map })));
    hub.setFile('pytorch_model-00001-of-00002.bin', Buffer.alloc(10));
    hub.setFile('pytorch_model-00002-of-00002.bin', Buffer.alloc(10));
    const { folder } = await fetch();
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('pytorch_model')),
      ['pytorch_model-00001-of-00002.bin', 'pytorch_model.bin.index.json'],
    );
    hub.setFile('pytorch_model.bin.index.json', undefined);
    hub.commit = 'c'.repeat(40);
    await assert.rejects(fetch(), {
      message: /has no model\.safetensors, no pytorch_model\.bin and no shards of them/,
    });
  });

  test('is downloaded once; later imports ask for the commit alone', async (t) => {
    const { hub, fetch } = await setUp(t);
    await fetch();
    hub.asked();
    await fetch();
    assert.deepEqual(hub.asked(), ['GET hub main']);
    await fetch({}, { revision: hub.commit });
    assert.deepEqual(hub.asked(), []);
  });

  test('is resumed after dropped connections, however many', async (t) => {
    const { hub, fetch, waits } = await setUp(t);
    const size = hub.file(weights).length;
    hub.faults.drops = [1000, 0, 20_000];
    const seen: number[] = [];
    const { folder } = await fetch({}, { onProgress: (done) => seen.push(done) });
    assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
    assert.equal(hub.servedBytes, size);
    assert.deepEqual(
      hub.requests.filter(({ host }) => host === 'cdn').map(({ range }) => range),
      [undefined, 'bytes=1000-', 'bytes=1000-', 'bytes=21000-'],
    );
    assert.ok(waits.length >= 3);
    assert.equal(seen.at(-1), size);
  });

  test('is resumed where an earlier import stopped', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.faults.drops = [5000, ...Array.from({ length: 20 }, () => 0)];
    await assert.rejects(fetch(), {
      code: 'invalid_argument',
      message: /^model\.safetensors stopped arriving: .*; the next import continues from there\.$/,
    });
    hub.faults.drops = [];
    hub.requests.length = 0;
    const { folder } = await fetch();
    assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
    assert.equal(hub.requests.find(({ host }) => host === 'cdn')?.range, 'bytes=5000-');
  });

  test('needs disk space for its missing bytes alone', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.faults.drops = [5000, ...Array.from({ length: 20 }, () => 0)];
    await assert.rejects(fetch());
    hub.faults.drops = [];
    const leftBytes = hub.file(weights).length - 5000;
    const free = t.mock.method(RepositoryCache.prototype, 'freeBytes', async () => leftBytes - 1);
    await assert.rejects(fetch(), { message: /MiB free and the download needs/ });
    free.mock.mockImplementation(async () => leftBytes);
    await fetch();
  });

  test('is asked for again when the hub does not resolve its revision', async (t) => {
    const { hub, fetch, waits } = await setUp(t);
    hub.faults.refuse = { path: '/api/', status: 503, times: 2 };
    await fetch();
    assert.deepEqual(waits, [1000, 2000]);
    hub.faults.refuse = { path: '/api/', status: 503, times: 1 };
    await fetch();
    assert.equal(waits.length, 2, 'where the cache has it, it is not waited for');
  });

  test('starts over with a server that ignores ranges', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.faults.drops = [5000];
    hub.faults.ignoresRange = true;
    const { folder } = await fetch();
    assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
  });

  test('is refused when it is damaged, and leaves nothing for a later import to take', async (t) => {
    const { hub, fetch, blobs } = await setUp(t);
    hub.faults.damage = (bytes) => {
      const damaged = Buffer.from(bytes);
      damaged[damaged.length - 1]! ^= 1;
      return damaged;
    };
    await assert.rejects(fetch(), {
      code: 'invalid_argument',
      message: /model\.safetensors arrived damaged/,
    });
    assert.equal(blobs().length, 2);
    hub.faults.damage = (bytes) => bytes;
    await fetch();
  });

  test('follows main to a new commit, with no file of the old one', async (t) => {
    const { hub, fetch } = await setUp(t);
    const before = await fetch();
    hub.commit = 'c'.repeat(40);
    const after = await fetch();
    assert.notEqual(after.folder, before.folder);
    assert.equal(after.commit, 'c'.repeat(40));
    assert.equal(readdirSync(before.folder).length, 3);
  });

  test('is complete for two imports at once', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.faults.drops = [3000, 9000];
    const both = await Promise.all([fetch(), fetch()]);
    for (const { folder } of both) {
      assert.deepEqual(readFileSync(join(folder, weights)), hub.file(weights));
    }
  });
});

describe('without the hub', () => {
  test('a complete cache is enough, and a sentence says that it is used', async (t) => {
    const { hub, fetch, said } = await setUp(t);
    const { folder } = await fetch();
    await hub.close();
    assert.equal((await fetch()).folder, folder);
    assert.equal((await fetch({ HF_HUB_OFFLINE: '1' })).folder, folder);
    assert.match(
      said[0]!,
      /cannot be reached: .*Using google\/siglip-tiny from the cache, where main is [0-9a-f]{40}\.$/,
    );
    assert.match(said[1]!, /^HF_HUB_OFFLINE is set\. Using google\/siglip-tiny from the cache/);
  });

  test('an empty cache is named as the reason', async (t) => {
    const { hub, fetch } = await setUp(t);
    await assert.rejects(fetch({ HF_HUB_OFFLINE: '1' }), {
      code: 'invalid_argument',
      message: /neither a folder here nor complete in .*, and HF_HUB_OFFLINE is set\.$/,
    });
    assert.deepEqual(hub.asked(), []);
    await hub.close();
    await assert.rejects(fetch(), {
      code: 'invalid_argument',
      message:
        /^There is no folder google\/siglip-tiny here, and the hub could not be asked: .* cannot be reached/,
    });
  });
});

describe('the hub refuses with one sentence, without the token', () => {
  for (const [what, refuse, message] of [
    [
      'a repository that is not there',
      { path: '/api/', status: 401, code: 'RepoNotFound' },
      /neither a folder here nor a model/,
    ],
    [
      'a gated repository',
      { path: '/api/', status: 403, code: 'GatedRepo' },
      /is gated: ask for access on its page at 127\.0\.0\.1:\d+ for the account of the token in HF_TOKEN\.$/,
    ],
    [
      'a token that is not accepted',
      { path: '/api/', status: 401 },
      /does not accept the token in HF_TOKEN for google\/siglip-tiny; "hf auth login" keeps a new one\.$/,
    ],
    [
      'a revision that is not there',
      { path: '/api/', status: 404, code: 'RevisionNotFound' },
      /has no revision main/,
    ],
    ['a hub that fails', { path: '/resolve/', status: 500 }, /answers with status 500/],
  ] as const) {
    test(what, async (t) => {
      const { hub, fetch } = await setUp(t);
      hub.faults.refuse = refuse;
      await assert.rejects(fetch(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'invalid_argument');
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n') && !error.message.includes(token));
        return true;
      });
    });
  }

  test('a repository that lacks what an import needs', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.setFile('preprocessor_config.json', undefined);
    await assert.rejects(fetch(), {
      message: /has no processor_config\.json and no preprocessor_config\.json, so it cannot be imported/,
    });
  });

  test('a repository with an adapter, before anything is downloaded', async (t) => {
    const { hub, fetch } = await setUp(t);
    hub.setFile('adapter_config.json', Buffer.from('{"peft_type":"LORA"}'));
    await assert.rejects(fetch(), {
      message: /has an adapter \(adapter_config\.json\), which is not applied here/,
    });
    assert.ok(!hub.asked().some((line) => line.includes('config.json')));
  });
});

describe('the token', () => {
  test('of hf auth login opens a gated repository, and without one the way to it is said', async (t) => {
    const { cacheFolder, fetch } = await setUp(t, 'siglip-tiny', { token: 'hf_login' });
    const home = { HF_TOKEN: '', HF_HOME: join(cacheFolder, 'home') };
    await assert.rejects(fetch(home), {
      code: 'invalid_argument',
      message: /is gated: ask for access on its page at \S+, then set HF_TOKEN or run "hf auth login"\.$/,
    });
    mkdirSync(home.HF_HOME);
    writeFileSync(join(home.HF_HOME, 'token'), 'hf_login\n');
    await fetch(home);
    await assert.rejects(fetch({ ...home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), {
      message: /then unset HF_HUB_DISABLE_IMPLICIT_TOKEN\.$/,
    });
  });

  test('goes to the hub and not where it redirects to', async (t) => {
    const { hub, fetch } = await setUp(t);
    await fetch();
    for (const { host, authorization } of hub.requests) {
      assert.equal(authorization, host === 'hub' ? `Bearer ${token}` : undefined);
    }
    assert.ok(hub.requests.some(({ host }) => host === 'cdn'));
  });

  test('does not follow a redirect out of http', async (t) => {
    const { hub, fetch, cacheFolder } = await setUp(t);
    writeFileSync(join(cacheFolder, 'secret'), 'x');
    hub.faults.redirect = `file://${join(cacheFolder, 'secret')}`;
    await assert.rejects(fetch(), { code: 'invalid_argument', message: /a redirect that is not over https/ });
  });
});
