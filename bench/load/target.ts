/** Where requests go, and what they carry; the service's cache is kept out of it unless `cached`. */
export type Target =
  | { readonly transport: 'http'; readonly url: string; readonly body: Uint8Array; readonly cached?: true }
  | {
      readonly transport: 'grpc';
      readonly address: string;
      readonly message: Uint8Array;
      readonly cached?: true;
    };

/** What came back. */
export interface Answer {
  readonly sizeBytes: number;
  /** The server's own times by stage, in milliseconds; read from the answer when asked for. */
  stagesMs(): Readonly<Record<string, number>>;
}

/** A client that asks for one thing, over connections that it keeps. Rejects when the answer is not a success. */
export interface Client {
  ask(): Promise<Answer>;
  close(): void;
}
