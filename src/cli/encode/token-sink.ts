/** The tokens of one image, as a file in the chosen format. */
export interface EncodedImage {
  /** The file's bytes, in order. */
  readonly buffers: Iterable<Uint8Array>;
  readonly shape: readonly number[];
  /** The answer's metadata: a JSON object in ASCII. */
  readonly metadata: string;
}

/** Where tokens were written, as the manifest says it. */
export interface WrittenTokens {
  /** The file that holds them, relative to the folder. */
  readonly output: string;
  /** Bytes of that file; in a shard, the position behind the image's members. */
  readonly output_bytes: number;
  /** The key of the image's members in a shard. */
  readonly key?: string;
}

/** Writes the tokens of images. Calls for different images may overlap. */
export interface TokenSink {
  /**
   * Writes tokens, then calls `record`. `name` is unique and has no extension. Rejects with the operating system's
   * error, or with `failed_precondition` if no image can be written any more.
   */
  put(
    image: { readonly file: string; readonly name: string },
    encoded: EncodedImage,
    record: (written: WrittenTokens) => Promise<void>,
  ): Promise<void>;
  /** Publishes what was put, unless it is public already. */
  finish(): Promise<void>;
  /** Closes what is open. A later run goes on with it if the sink has a manifest; otherwise it is removed. */
  abandon(): Promise<void>;
}
