import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasVnni } from '../../src/inference/vnni.ts';

test('tells a CPU with VNNI by the flags that Linux gives, and takes any other for one without', () => {
  const cpu = (flags: string) =>
    `processor\t: 0\nmodel name\t: x\nflags\t\t: fpu ${flags} sse2\nbugs\t\t: y\n`;
  assert.equal(hasVnni(cpu('avx2 avx512_vnni')), true);
  assert.equal(hasVnni(cpu('avx2 avx_vnni')), true);
  assert.equal(hasVnni(cpu('avx2 avx512bw avx512_vnni_x')), false);
  assert.equal(hasVnni('Features\t: fp asimd asimddp\n'), false);
  assert.equal(hasVnni(''), false);
});
