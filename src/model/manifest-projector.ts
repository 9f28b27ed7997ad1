import type { AnyresDefinition } from '../recipes/plan-model.ts';
import { resamples } from '../recipes/plan.ts';
import { JsonObject } from './json-object.ts';
import type { Projector } from './projector.ts';

const most = { side: 4_096, hiddenSize: 65_536, grids: 256 } as const;

/** The most squares along a side of an AnyRes grid. */
export const mostGridSide = 16;

/** Reads `projector` of model.json; `invalid_argument`, naming the field, where one does not fit. */
export function parseProjector(json: JsonObject): Projector {
  const digest = json.string('digest');
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw json.fault('digest', 'sha256: and 64 hex digits');
  const grid = json.object('grid');
  return {
    family: json.string('family'),
    digest,
    hiddenSize: json.integer('hiddenSize', { min: 1, max: most.hiddenSize }),
    grid: {
      width: grid.integer('width', { min: 1, max: most.side }),
      height: grid.integer('height', { min: 1, max: most.side }),
    },
    anyGrid: json.boolean('anyGrid'),
    newline: json.boolean('newline'),
  };
}

/** Reads `anyres` of model.json; `invalid_argument`, naming the field, where one does not fit. */
export function parseAnyres(json: JsonObject): AnyresDefinition {
  const grids: unknown = json.get('grids');
  if (!Array.isArray(grids) || grids.length === 0 || grids.length > most.grids) {
    throw json.fault('grids', `a list of 1 to ${most.grids} grids`);
  }
  return {
    grids: grids.map((one) => {
      const grid = JsonObject.from(one, `${json.where}: grids`);
      const side = { min: 1, max: mostGridSide };
      return { columns: grid.integer('columns', side), rows: grid.integer('rows', side) };
    }),
    resample: json.oneOf('resample', resamples),
    maxTiles: json.integer('maxTiles', { min: 0, max: 1_000 }),
  };
}
