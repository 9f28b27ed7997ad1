import type { Failure } from '../service/failure.ts';
import type { MetricSample } from '../service/metric-sample.ts';
import type { ServedModel } from '../service/models.ts';
import type { Recipe } from '../service/metadata.ts';
import type { RequestOption } from '../service/option.ts';
import type { Point } from '../geometry/rect.ts';
import type { Picture } from '../picture/picture.ts';
import type { Comparison } from './comparison.ts';
import type { Paint } from '../arithmetic/paint.ts';
import type { Panel } from './panel.ts';

/** A patch that others are compared with, at a point of the image. */
export interface Pick extends Point {
  /** Whether tokens like it score higher, or lower. */
  readonly isPositive: boolean;
}

/** What the colour of a token says. */
export const colourings = ['components', 'norms', 'similarity'] as const;
export type Coloring = (typeof colourings)[number];

/** What the user looks at, over all panels. */
export interface Look {
  readonly coloring: Coloring;
  /** Share of the colour; the rest is the picture. */
  readonly blend: number;
  /** Whether the plan is drawn over the picture. */
  readonly showsPlan: boolean;
  readonly picks: readonly Pick[];
  /** Whether a pick without Shift is one to differ from: touch screens have no Shift. */
  readonly picksToDiffer: boolean;
  /** Tokens of a lower score show the picture. */
  readonly threshold: number | undefined;
  /** The point under the pointer, or the one that the arrow keys have moved to. */
  readonly hover: Point | undefined;
}

/** What is known of the service. */
export interface ServiceState {
  /** `locked`: the service wants an API key, and the user gave none. */
  readonly contact: 'connecting' | 'ready' | 'not ready' | 'locked' | 'gone';
  readonly models: readonly ServedModel[];
  readonly options: Readonly<Record<Recipe, readonly RequestOption[]>>;
  /** Whether /metrics is served to the page, as far as the page knows. */
  readonly hasMetrics: boolean;
  /** Of the last minute, the oldest first. */
  readonly samples: readonly MetricSample[];
  readonly failure: Failure | undefined;
}

export interface State {
  readonly service: ServiceState;
  /** The refusal after which a key is asked for. */
  readonly keyAsked: string | undefined;
  readonly picture: Picture | undefined;
  readonly pictureFailure: Failure | undefined;
  readonly panels: readonly Panel[];
  readonly paints: ReadonlyMap<number, Paint>;
  /** What the ends of the colour scale stand for. */
  readonly scale: readonly [least: number, most: number] | undefined;
  /** Why the tokens have no colours. */
  readonly paintFailure: Failure | undefined;
  readonly look: Look;
  readonly comparison: Comparison;
}

export const initialState: State = {
  service: {
    contact: 'connecting',
    models: [],
    options: { encode: [], teacher: [], anyres: [] },
    hasMetrics: true,
    samples: [],
    failure: undefined,
  },
  keyAsked: undefined,
  picture: undefined,
  pictureFailure: undefined,
  panels: [],
  paints: new Map(),
  scale: undefined,
  paintFailure: undefined,
  look: {
    coloring: 'components',
    blend: 0.85,
    showsPlan: true,
    picks: [],
    picksToDiffer: false,
    threshold: undefined,
    hover: undefined,
  },
  comparison: { pair: undefined, shows: 'cosine', outcome: undefined },
};
