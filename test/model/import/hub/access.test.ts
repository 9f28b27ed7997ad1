import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { readHubAccess } from '../../../../src/model/import/hub/access.ts';
import { findCacheFolder, findTokenFile } from '../../../../src/model/import/hub/places.ts';
import { readToken } from '../../../../src/model/import/hub/token.ts';

type Env = Record<string, string>;

function folderWith(t: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'siglip-hd-access-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("the hub's cache and token lie", () => {
  test('where huggingface_hub 1.33.0 looks for them', () => {
    const cases: [Env, cache: string, token: string][] = [
      [{}, '/home/u/.cache/huggingface/hub', '/home/u/.cache/huggingface/token'],
      [{ HF_HOME: '~/hf' }, '/home/u/hf/hub', '/home/u/hf/token'],
      [{ HF_HOME: '~' }, '/home/u/hub', '/home/u/token'],
      [{ HF_HOME: '${X}/hf', X: '/x' }, '/x/hf/hub', '/x/hf/token'],
      [{ HF_HOME: '$X/hf' }, '$X/hf/hub', '$X/hf/token'],
      [{ HF_HOME: '~x/y' }, '~x/y/hub', '~x/y/token'],
      [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub', '/xdg/huggingface/token'],
      [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '/h' }, '/h/hub', '/h/token'],
      [{ HF_HOME: '/h', HF_HUB_CACHE: '~/c' }, '/home/u/c', '/h/token'],
      [{ HUGGINGFACE_HUB_CACHE: '/old' }, '/old', '/home/u/.cache/huggingface/token'],
      [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new', '/home/u/.cache/huggingface/token'],
      [{ HF_TOKEN_PATH: '~/tok' }, '/home/u/.cache/huggingface/hub', '/home/u/tok'],
      [{ HF_HOME: '' }, '/home/u/.cache/huggingface/hub', '/home/u/.cache/huggingface/token'],
    ];
    for (const [given, cache, token] of cases) {
      const env = { HOME: '/home/u', ...given };
      assert.equal(findCacheFolder(env), cache, JSON.stringify(given));
      assert.equal(findTokenFile(env), token, JSON.stringify(given));
    }
  });

  test('in no home where the environment names other places', () => {
    const noHome = () => undefined;
    for (const env of [{ HF_HOME: '/h' }, { XDG_CACHE_HOME: '/h' }, { HF_HUB_CACHE: '/h' }]) {
      assert.match(findCacheFolder(env, noHome), /^\/h/);
    }
    assert.equal(findTokenFile({ HF_HUB_CACHE: '/h' }, noHome), undefined);
    for (const env of [{}, { HF_HOME: '~/hf' }]) {
      assert.throws(() => findCacheFolder(env, noHome), {
        code: 'invalid_argument',
        message: /^This user has no home folder for the hub's cache; set HF_HOME or HF_HUB_CACHE to a folder/,
      });
    }
  });
});

describe('the token', () => {
  test('is that of HF_TOKEN, else of HUGGING_FACE_HUB_TOKEN, else the one that hf auth login keeps', (t) => {
    const file = join(folderWith(t, { token: ' hf_file\n' }), 'token');
    for (const [env, value, source] of [
      [{}, 'hf_file', file],
      [{ HF_TOKEN: ' ', HUGGING_FACE_HUB_TOKEN: '' }, 'hf_file', file],
      [{ HUGGING_FACE_HUB_TOKEN: 'hf_old\n' }, 'hf_old', 'HUGGING_FACE_HUB_TOKEN'],
      [{ HUGGING_FACE_HUB_TOKEN: 'hf_old', HF_TOKEN: 'hf_new' }, 'hf_new', 'HF_TOKEN'],
    ] as const) {
      assert.deepEqual(readToken(env, file), { value, source });
    }
  });

  test('is none where there is none, where it is empty, and where it is not to be sent', (t) => {
    const folder = folderWith(t, { token: '\n' });
    assert.equal(readToken({}, undefined), undefined);
    assert.equal(readToken({}, join(folder, 'token')), undefined);
    assert.equal(readToken({}, join(folder, 'none')), undefined);
    assert.equal(readToken({}, join(folder, 'token', 'below')), undefined);
    const withheld = { HF_HUB_DISABLE_IMPLICIT_TOKEN: '1', HF_TOKEN: 'hf_new' };
    assert.equal(readToken(withheld, undefined), undefined);
  });

  test('that cannot be read or sent is refused by its place and not by its value', (t) => {
    const folder = folderWith(t, { token: 'two words' });
    assert.throws(() => readToken({ HF_TOKEN_PATH: folder }, folder), {
      code: 'invalid_argument',
      message: `The token in ${folder} cannot be read: it is a folder.`,
    });
    assert.throws(() => readToken({}, join(folder, 'token')), {
      code: 'invalid_argument',
      message: `${join(folder, 'token')} holds a character that a token cannot have.`,
    });
  });
});

test('either offline variable keeps every request back', () => {
  const offline = (env: Env) => readHubAccess({ HOME: '/home/u', ...env }).offline;
  assert.equal(offline({}), undefined);
  assert.equal(offline({ HF_HUB_OFFLINE: '0' }), undefined);
  assert.equal(offline({ HF_HUB_OFFLINE: 'True' }), 'HF_HUB_OFFLINE');
  assert.equal(offline({ HF_HUB_OFFLINE: '', TRANSFORMERS_OFFLINE: '1' }), 'TRANSFORMERS_OFFLINE');
});

test('a file of certificates that cannot be read is named', (t) => {
  const folder = folderWith(t, { 'ca.pem': 'one', 'extra.pem': 'two' });
  const certificates = (env: Env) => readHubAccess({ HOME: '/home/u', ...env }).certificates;
  const extra = { NODE_EXTRA_CA_CERTS: join(folder, 'extra.pem') };
  assert.equal(certificates(extra), undefined, 'Node adds it to its own by itself');
  assert.deepEqual(certificates({ ...extra, REQUESTS_CA_BUNDLE: join(folder, 'ca.pem') }), ['one', 'two']);
  assert.throws(() => certificates({ SSL_CERT_FILE: join(folder, 'none.pem') }), {
    code: 'invalid_argument',
    message: `SSL_CERT_FILE names ${join(folder, 'none.pem')}, which cannot be read: no such file or directory.`,
  });
});
