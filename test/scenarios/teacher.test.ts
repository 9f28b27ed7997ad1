import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { startService } from '../../src/service.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
let student = '';
before(async () => {
  student = await importFixture(scratch.path, 'siglip-tiny');
});
after(() => scratch.remove());

/** The service's warnings as it starts with the student and a teacher. */
async function warningsOf(teacher: string): Promise<string[]> {
  const warnings: string[] = [];
  const write = (line: string) => {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string };
    if (level === 40) warnings.push(msg);
  };
  const models = [
    { name: 'student', folder: student },
    { name: 'teacher', folder: teacher },
  ];
  const service = await startService(
    serviceConfig({ models, teacher: 'teacher' }),
    pino({}, { write }),
    () => {},
  );
  await service.close();
  return warnings;
}

test("warns at start of a teacher whose tokens do not have the shape of the default model's", async () => {
  const large = await importFixture(scratch.path, 'siglip-tiny', { imageSize: 1024 });
  assert.deepEqual(await warningsOf(large), [
    'the teacher gives 64 x 64 tokens of 32 channels, the default model 32 x 32 tokens of 32 channels: ' +
      'its tokens do not fit a student of that shape',
  ]);
});

test('does not warn of a teacher of the same shape', async () => {
  const other = await importFixture(scratch.path, 'siglip-tiny', { features: ['pre_norm'] });
  assert.deepEqual(await warningsOf(other), []);
});
