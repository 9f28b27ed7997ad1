import type { CommandOutline } from './command.ts';
import { compareCommand } from './compare.ts';
import { encodeCommand } from './encode.ts';
import { importCommand } from './import.ts';
import { serveCommand } from './serve.ts';

/** The benchmark, which reads its arguments itself. */
export const benchOutline = {
  name: 'bench',
  summary: 'Measures the service. Only in a clone: npm run bench.',
};

/** Every command that has settings. */
export const commands: readonly CommandOutline[] = [
  serveCommand,
  importCommand,
  encodeCommand,
  compareCommand,
];
