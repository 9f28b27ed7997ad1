import { benchResample } from './resample.ts';
import type { Section } from '../report/section.ts';

/** The resampler beside Pillow, one thread each; PEER_PYTHON names an interpreter that has Pillow. */
export const resampling: Section = {
  title: "Resampling beside Pillow's",
  async run() {
    const python = process.env['PEER_PYTHON'] ?? 'python3';
    const rows = await benchResample({ python });
    const pillow = rows.find((row) => row.pillow !== undefined)?.pillow;
    const worst = Math.max(...rows.map(({ ratio }) => ratio ?? Number.NaN));
    return {
      tables: [
        {
          title: `Milliseconds a picture, medians; Pillow ${pillow ?? 'not there'}`,
          columns: [
            { title: 'picture' },
            { title: 'ours', digits: 2 },
            { title: 'Pillow', digits: 2 },
            { title: 'ratio', digits: 2 },
          ],
          rows: rows.map(({ name, oursMs, pillowMs, ratio }) => [name, oursMs, pillowMs, ratio]),
        },
      ],
      verdicts:
        pillow === undefined
          ? []
          : [{ what: "worst time, of Pillow's", value: worst, limit: 'at most', bar: 3 }],
      notes:
        pillow === undefined
          ? [
              `${python} has no Pillow, so there is nothing beside ours. PEER_PYTHON=/path/to/python names another interpreter; bench/peers/fastapi/requirements.txt has what it needs.`,
            ]
          : ["Ratio: ours through Pillow's; 1 or less is the aim."],
    };
  },
};
