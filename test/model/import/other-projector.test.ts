import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ImportOptions } from '../../../src/model/import/import-model.ts';
import type { Model } from '../../../src/model/model.ts';
import { decodeSafetensors, encodeSafetensors } from './checkpoints.ts';
import { expectedTokens, fixture, temporaryFolder } from './fixtures.ts';
import { largestDifference } from './run-graph.ts';
import { pickledTensor, torchFile, type Pickled } from './torch-writer.ts';
import { checkpoint, embed, importTo, largest } from './vlm-checkpoint.ts';

describe('a tower with the projector of another checkpoint', () => {
  const tower = checkpoint('clip-tower');
  const whole = checkpoint('llava-original-no-tower');

  async function requireExpected(model: Model): Promise<void> {
    const expected = await expectedTokens(
      '../vlm/expected/clip-tower-encode-views-view-56.png-embeddings.npy',
    );
    const { encoder } = await embed(model);
    assert.ok(largestDifference(encoder.float32, expected) <= 5e-6 * largest(expected));
  }

  it('gives the embeddings of transformers, and names both in model.json', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    const origin = { source: 'owner/llava', revision: 'a'.repeat(40) };
    await requireExpected(await importTo(out, tower, { projector: { source: whole, origin } }));
    const { provenance } = JSON.parse(await readFile(join(out, 'model.json'), 'utf8')) as {
      provenance: object;
    };
    assert.deepEqual(provenance, { source: 'clip-tower', storedDtype: 'F16', projector: origin });
  });

  it("takes a file of LLaVA's projector without a configuration", async (t) => {
    const folder = await temporaryFolder(t);
    const tensors = decodeSafetensors(await readFile(join(whole, 'model.safetensors')));
    for (const name of tensors.keys()) if (!name.includes('mm_projector')) tensors.delete(name);
    const source = join(folder, 'mm_projector.safetensors');
    await writeFile(source, encodeSafetensors(tensors));
    await requireExpected(await importTo(join(folder, 'file'), tower, { projector: { source } }));
    await requireExpected(await importTo(join(folder, 'folder'), tower, { projector: { source: folder } }));
  });

  it("takes mm_projector.bin, which LLaVA's first stage of training writes, and refuses code in it", async (t) => {
    const folder = await temporaryFolder(t);
    const stored = decodeSafetensors(await readFile(join(whole, 'model.safetensors')));
    const tensors = [...stored].filter(([name]) => name.includes('mm_projector'));
    const pickled = tensors.map(([name, { shape, data }], index): readonly [string, Pickled] => {
      const strides = shape.map((_, axis) =>
        shape.slice(axis + 1).reduce((product, size) => product * size, 1),
      );
      const elements = data.byteLength / 2;
      return [
        name,
        pickledTensor({ key: `${index}`, shape, strides, elements, storage: 'torch HalfStorage' }),
      ];
    });
    const storages = Object.fromEntries(tensors.map(([, { data }], index) => [`${index}`, data]));
    const path = join(folder, 'mm_projector.bin');
    await writeFile(path, torchFile(new Map(pickled), storages));
    await requireExpected(await importTo(join(folder, 'out'), tower, { projector: { source: folder } }));
    const code = { call: { global: 'os system' }, args: ['true'] };
    await writeFile(path, torchFile(new Map([...pickled, ['code', code]]), storages));
    await assert.rejects(importTo(join(folder, 'code'), tower, { projector: { source: path } }), {
      code: 'invalid_argument',
      message: /^mm_projector\.bin .*os\.system/,
    });
  });

  it('notes that LLaVA pads images where this model crops them', async (t) => {
    const folder = await temporaryFolder(t);
    const notesOn = async (name: string, options: Partial<ImportOptions>) => {
      const notes: string[] = [];
      const onNote = (note: string) => notes.push(note);
      await importTo(join(folder, name), tower, { projector: { source: whole }, onNote, ...options });
      return notes;
    };
    assert.deepEqual(await notesOn('cropped', {}), [
      'LLaVA pads images to squares (image_aspect_ratio "pad"), and this model crops them: pad images that are not square ' +
        "before you send them, or their embeddings differ from LLaVA's.",
    ]);
    assert.deepEqual(await notesOn('chosen', { resize: 'squash' }), []);
  });

  it('is refused where the projector takes another width, and where there is no projector', async (t) => {
    const out = join(await temporaryFolder(t), 'out');
    await assert.rejects(importTo(out, fixture('clip-tiny'), { projector: { source: whole } }), {
      code: 'invalid_argument',
      message: /^The projector does not fit: model\.mm_projector\.0\.weight takes rows of 64, /,
    });
    await assert.rejects(importTo(out, tower, { projector: { source: tower } }), {
      code: 'invalid_argument',
      message: /clip-tower has no projector that siglip-hd knows/,
    });
    await rm(out, { recursive: true, force: true });
  });
});
