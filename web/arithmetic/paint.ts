/** The colours of a panel's tokens, and what they say. */
export interface Paint {
  /** RGBA of each token of the answer, in its order. */
  readonly colours: Uint8ClampedArray<ArrayBuffer>;
  /** The norm or the similarity of each token; undefined for components. */
  readonly values: Float32Array | undefined;
}
