import type { Precision } from '../model.ts';
import { castTo, Graph, type Placement, type Places } from './graph.ts';
import { compareProducts, int8Names, int8Product, type FormOf } from './int8-linear.ts';
import type { WeightDtype } from './weights.ts';

/** A tensor of the checkpoint, and how the weights file stores it. */
export interface GraphWeight {
  /** Its name without the tower's prefix; a projector's name begins with {@link projectorPrefix}. */
  readonly tensor: string;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /**
   * `patches`: each row [3, patch, patch] is stored as [patch, patch, 3], the order of pixels. `positions`: the table is
   * resized to the view's grid by position-table.ts. `int8`: the matrix is quantised by quantise.ts.
   */
  readonly layout: 'as stored' | 'patches' | 'positions' | 'int8';
  /** The dtype as which it is read. */
  readonly dtype: WeightDtype;
  readonly place: Placement;
}

/** Begins the names of a projector's tensors in a graph. */
export const projectorPrefix = 'projector.';

export interface LinearWeight {
  readonly shape: readonly number[];
  readonly layout?: GraphWeight['layout'];
  /** The builder's precision when absent; a product of a given dtype is never int8. */
  readonly dtype?: WeightDtype;
  readonly bias?: boolean;
}

/**
 * Adds matrix products and their weights to a graph. With fp16, products are float16, and values between them float32
 * where `widen` is called. With int8, `formOf` chooses the form of each product; all are int8 without it.
 */
export class LinearBuilder {
  readonly graph: Graph;
  readonly weights: GraphWeight[] = [];
  readonly #dtype: WeightDtype;
  readonly #formOf: FormOf;

  /** `places` says where the weights are, if another graph placed them. */
  constructor(precision: Precision, formOf: FormOf = () => 'int8', places?: Places) {
    this.graph = new Graph('', places);
    this.#formOf = precision === 'int8' ? formOf : () => 'exact';
    this.#dtype = precision === 'fp16' ? 'float16' : 'float32';
  }

  /** value * weight^T + bias. The weight is as in the checkpoint: its rows are output channels. */
  linear(value: string, name: string, weight: LinearWeight): string {
    const { shape, layout = 'as stored', dtype = this.#dtype, bias = true } = weight;
    const form = layout === 'as stored' && weight.dtype === undefined ? this.#formOf(name) : 'exact';
    if (form !== 'int8') this.weight(`${name}.weight`, shape, dtype, layout);
    if (bias) this.weight(`${name}.bias`, shape.slice(0, 1), dtype);
    if (form === 'int8') return this.#int8Product(value, name, weight);
    const inputs = [value, `${name}.weight`, ...(bias ? [`${name}.bias`] : [])];
    const exact = this.graph.node('Gemm', inputs, { transB: { int: 1 } });
    if (form === 'both') compareProducts(this.graph, name, exact, this.#int8Product(value, name, weight));
    return exact;
  }

  weight(
    tensor: string,
    shape: readonly number[],
    dtype: WeightDtype = 'float32',
    layout: GraphWeight['layout'] = 'as stored',
  ): void {
    const [rows = 1, ...row] = shape;
    const stored = layout === 'patches' ? [rows, row.reduce((product, size) => product * size, 1)] : shape;
    const place = this.graph.weight(tensor, dtype, stored);
    this.weights.push({ tensor, shape, layout, dtype, place });
  }

  /** Casts a value to the products' dtype. */
  narrow(value: string): string {
    return this.#dtype === 'float32' ? value : this.graph.node('Cast', [value], castTo('float16'));
  }

  /** Casts a product to float32. */
  widen(value: string): string {
    return this.#dtype === 'float32' ? value : this.graph.node('Cast', [value], castTo('float32'));
  }

  #int8Product(value: string, name: string, { shape, bias = true }: LinearWeight): string {
    const { steps, scales } = int8Names(name);
    const { offsetBytes } = this.graph.weight(steps, 'int8', shape.toReversed());
    const end = this.graph.weight(scales, 'float32', shape.slice(0, 1));
    const place = { offsetBytes, sizeBytes: end.offsetBytes + end.sizeBytes - offsetBytes };
    this.weights.push({ tensor: `${name}.weight`, shape, layout: 'int8', dtype: 'float32', place });
    return int8Product(this.graph, value, name, bias);
  }
}
