/** What a client does with a connection after it has sent its bytes. */
export type RawEnd = 'end' | 'abort' | 'trickle';

/** One step of a gRPC call; the client ends its side after the last one, unless it is `cancel`. */
export type GrpcStep =
  | { readonly do: 'send'; readonly message: Buffer }
  | { readonly do: 'pause'; readonly ms: number }
  | { readonly do: 'cancel' };

/** Something to send, and how. The same seed and number make the same case. */
export type FuzzCase = { readonly number: number } & FuzzInput;

export type FuzzInput = { readonly what: string } & (
  | {
      readonly kind: 'http';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
    }
  /** Bytes on a connection, as they are. */
  | { readonly kind: 'raw'; readonly port: 'http' | 'grpc'; readonly bytes: Buffer; readonly end: RawEnd }
  /** A call by a client that keeps to the protocol. */
  | {
      readonly kind: 'grpc';
      readonly path: string;
      readonly streams: boolean;
      readonly metadata: Readonly<Record<string, string>>;
      readonly deadlineMs?: number;
      readonly steps: readonly GrpcStep[];
    }
  /** A call by one that does not: the bytes of its DATA frames, and whether it resets the stream after them. */
  | {
      readonly kind: 'frames';
      readonly headers: Readonly<Record<string, string>>;
      readonly bytes: Buffer;
      readonly reset: boolean;
    }
);

/** What cases are made of. */
export interface Corpus {
  /** Files of every format, by its name. */
  readonly images: Readonly<Record<string, Buffer>>;
  /** Messages that are right, by the method that takes them. */
  readonly messages: Readonly<Record<string, readonly Buffer[]>>;
}

/** What a case's request holds, for the file that a finding leaves. */
export function bytesOf(input: FuzzInput): Buffer {
  switch (input.kind) {
    case 'http':
      return input.body;
    case 'raw':
    case 'frames':
      return input.bytes;
    case 'grpc':
      return Buffer.concat(input.steps.map((step) => (step.do === 'send' ? step.message : Buffer.alloc(0))));
  }
}
