import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableRecords, tableText } from '../../bench/table.ts';

const table = {
  title: 'Speeds',
  columns: [{ title: 'path' }, { title: 'views/s', digits: 1 }],
  rows: [
    ['HTTP', 1234.56],
    ['gRPC, over a long name', undefined],
  ],
};

test('aligns words to the left, numbers to the right, and marks what was not measured', () => {
  assert.equal(
    tableText(table),
    [
      'Speeds',
      'path                    views/s',
      '----------------------  -------',
      'HTTP                    1,234.6',
      'gRPC, over a long name        -',
    ].join('\n'),
  );
});

test('gives records with unrounded numbers', () => {
  assert.deepEqual(tableRecords(table)[0], { path: 'HTTP', 'views/s': 1234.56 });
});
