import type { Provenance } from './manifest.ts';
import type { EncodedImage } from './token-sink.ts';

/** The models that make the tokens. */
export type ModelProvenance = Pick<Provenance, 'model' | 'projector' | 'scale_models'>;

/** Encodes images one by one: in this process, or with running services. */
export interface ImageEncoder {
  readonly provenance: ModelProvenance;
  /** How many images to encode at one time, so that the engines always have work and memory stays bounded. */
  readonly imagesAtOnce: number;
  /**
   * Encodes the bytes of a file, which it may transfer to another thread. `done` must be called when the tokens are
   * written. Rejects with a ServiceError.
   */
  encode(bytes: Uint8Array, signal: AbortSignal): Promise<EncodedImage & { readonly done: () => void }>;
  close(): Promise<void>;
}

/** The size for which a recipe is planned to see whether its options fit the model, and how many views it takes. */
export const usualSize = { width: 1024, height: 1024 } as const;
