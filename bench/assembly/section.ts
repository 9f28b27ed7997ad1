import type { AssembleMemoryTask } from './assemble-memory.ts';
import { type AssembleMemoryRow, benchAssemble, benchHandOver } from './assemble.ts';
import { TaskChild } from '../processes/children.ts';
import type { Section, Verdict } from '../report/section.ts';

/** Time and memory of putting views' tokens together, on one thread, at So400m's channels. */
export const assembling: Section = {
  title: 'Assembling: 1152 channels, one thread',
  async run(progress) {
    const rows = benchAssemble();
    const handOvers = process.platform === 'linux' ? await benchHandOver() : [];
    const memory: AssembleMemoryRow[] = [];
    for (const atOnce of [1, 8]) {
      progress(`memory of ${atOnce} at once`);
      const child = new TaskChild<AssembleMemoryTask, AssembleMemoryRow>('assembly/assemble-memory');
      try {
        memory.push(await child.run({ atOnce }));
      } finally {
        await child.close();
      }
    }
    return {
      tables: [
        {
          title: 'Milliseconds an answer, medians',
          columns: [{ title: 'answer' }, { title: 'ms', digits: 1 }, { title: 'at most' }],
          rows: rows.map(({ name, ms, barMs }) => [name, ms, barMs]),
        },
        {
          title: 'CPU of the main thread an answer, while the pool assembles it',
          columns: [{ title: 'answer' }, { title: 'ms', digits: 3 }],
          rows: handOvers.map(({ name, cpuMs }) => [name, cpuMs]),
        },
        {
          title: 'Resident memory, MiB',
          columns: ['answers', 'before', 'views', 'answers alone', 'peak'].map((title) => ({ title })),
          rows: memory.map((row) => [row.name, row.beforeMiB, row.viewsMiB, row.answersMiB, row.peakMiB]),
        },
      ],
      verdicts: [
        ...rows.flatMap(({ name, ms, barMs }): Verdict[] =>
          barMs === undefined ? [] : [{ what: `${name}, ms`, value: ms, limit: 'at most', bar: barMs }],
        ),
        ...handOvers.map(
          ({ name, cpuMs }): Verdict => ({
            what: `${name}, ms of the main thread`,
            value: cpuMs,
            limit: 'at most',
            bar: 5,
          }),
        ),
      ],
      notes: [],
    };
  },
};
