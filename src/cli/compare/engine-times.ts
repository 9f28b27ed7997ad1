import { quantile } from './compare-tokens.ts';

/** What an engine's runs came to, in milliseconds. */
export interface EngineSpeed {
  /** Median over all views. */
  readonly msPerView: number;
  /** Median over images of the sum of their views. */
  readonly msPerImage: number;
}

interface Measured {
  readonly perView: number[];
  readonly perImage: number[];
}

/** Times of the engines of two sides, which encode in turn. */
export class EngineTimes {
  readonly #sides = new Map<string, Measured>();
  #current: { views: number; engineMs: number }[] = [];

  /** A run of the engine that works now. */
  add({ views, engineMs }: { readonly views: number; readonly engineMs: number }): void {
    this.#current.push({ views, engineMs });
  }

  /** The result of `encode`, an image of that side; the runs meanwhile are the side's, if it succeeds. */
  async watch<T>(side: string, encode: () => Promise<T>): Promise<T> {
    this.#current = [];
    const result = await encode();
    const measured = this.#sides.get(side) ?? { perView: [], perImage: [] };
    this.#sides.set(side, measured);
    for (const { views, engineMs } of this.#current) {
      for (let view = 0; view < views; view++) measured.perView.push(engineMs / views);
    }
    measured.perImage.push(this.#current.reduce((sum, { engineMs }) => sum + engineMs, 0));
    return result;
  }

  /** Undefined before anything was measured. */
  speed(side: string): EngineSpeed | undefined {
    const measured = this.#sides.get(side);
    if (measured === undefined || measured.perView.length === 0) return undefined;
    return { msPerView: median(measured.perView), msPerImage: median(measured.perImage) };
  }
}

function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}
