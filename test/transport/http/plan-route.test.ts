import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { defaultTerms } from '../../../src/admission/priority.ts';
import { openStubApp, stubPlan } from './stub-server.ts';

const { ask, encoder } = await openStubApp();

async function plan(query: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await ask(`/v1/plan?${query}`);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

test('answers metadata, tokens and bytes from a size and options alone', async () => {
  const { status, body } = await plan('recipe=anyres&width=1218&height=1722&max_tiles=0&dtype=float32');
  assert.equal(status, 200);
  assert.deepEqual(encoder.planRequests.at(-1), {
    size: { width: 1218, height: 1722 },
    recipe: { recipe: 'anyres', maxTiles: 0 },
    options: { output: 'features', dtype: 'float32', exif: 'apply' },
    terms: defaultTerms,
  });
  assert.deepEqual([body['tokens'], body['size_bytes']], [4, 48]);
});

test("answers each recipe's plan with the metadata of the encode call", async () => {
  for (const recipe of ['encode', 'teacher', 'anyres'] as const) {
    const path = recipe === 'encode' ? 'encode' : `${recipe}-encode`;
    const encoded = await ask(`/v1/${path}?dtype=float32`, { method: 'POST', body: 'image' });
    const { body } = await plan(`recipe=${recipe}&width=640&height=480&dtype=float32`);
    assert.deepEqual(body['metadata'], JSON.parse(encoded.headers.get('tokens-meta') ?? ''));
    assert.equal(body['size_bytes'], (await encoded.arrayBuffer()).byteLength - 128);
  }
});

test('refuses a recipe, a side or an option that cannot be, by name', async () => {
  const size = 'width=3&height=4';
  for (const [query, name] of [
    [size, 'recipe'],
    [`${size}&recipe=student`, 'student'],
    ['recipe=encode&height=4', 'width'],
    ['recipe=encode&width=3', 'height'],
    ['recipe=encode&width=0&height=4', 'width'],
    ['recipe=encode&width=-3&height=4', 'width'],
    ['recipe=encode&width=3.5&height=4', 'width'],
    ['recipe=encode&width=1e3&height=4', 'width'],
    ['recipe=encode&width=3&height=2147483648', 'height'],
    [`recipe=encode&width=5&${size}`, 'width'],
    [`recipe=encode&${size}&max_tiles=4`, 'max_tiles'],
    [`recipe=anyres&${size}&max_tiles=many`, 'max_tiles'],
  ] as const) {
    const { status, body } = await plan(query);
    assert.deepEqual([status, body['code']], [400, 'invalid_argument'], query);
    assert.ok(String(body['detail']).includes(name), `${query}: ${String(body['detail'])}`);
  }
});

test('answers what the encode call would be refused with', async () => {
  encoder.planned = () => {
    throw new ServiceError('too_large', 'Too many bytes.');
  };
  const { status, body } = await plan('recipe=teacher&width=3&height=4');
  encoder.planned = stubPlan;
  assert.deepEqual([status, body['code'], body['detail']], [413, 'too_large', 'Too many bytes.']);
});
