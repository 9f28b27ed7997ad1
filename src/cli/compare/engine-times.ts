import { quantile } from '../../tokens/colours/quantile.ts';

/** The speed of an engine, in milliseconds. */
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

/** Engine times of two sides, which take turns. */
export class EngineTimes {
  readonly #sides = new Map<string, Measured>();
  #current: { views: number; engineMs: number }[] = [];

  /** Adds a run of the engine of the side that is encoding. */
  add({ views, engineMs }: { readonly views: number; readonly engineMs: number }): void {
    this.#current.push({ views, engineMs });
  }

  /** Runs `encode` for an image of a side, and counts the engine runs meanwhile as that side's if it succeeds. */
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
