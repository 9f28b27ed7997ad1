import type { CommandOutline } from './command.ts';
import { compareCommand } from './compare-command.ts';
import { encodeCommand } from './encode-command.ts';
import { importCommand } from './import-command.ts';
import { serveCommand } from './serve-command.ts';

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
