export interface HttpLimits {
  /** Largest request body, in any envelope. */
  readonly maxBodyBytes: number;
  /** Most images in one request. */
  readonly maxImages: number;
  /** Largest request line and headers together. */
  readonly maxHeaderBytes: number;
  /** Most connections. Further ones are closed at once. */
  readonly maxConnections: number;
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number;
  /** How long the headers of a request may take to arrive. */
  readonly headersMs: number;
  /** How long a whole request may take to arrive. */
  readonly requestMs: number;
  /** How long the reading of a form that has arrived may stand still. */
  readonly formEndMs: number;
  /** How long an idle connection stays open. */
  readonly keepAliveMs: number;
  /** How long a client may take to read an answer of any length. */
  readonly readGraceMs: number;
  /** The slowest that it may read beyond that. */
  readonly readBytesPerSecond: number;
  /** How long the rest of a refused body is read, so that the client can read the answer. */
  readonly lingerMs: number;
}

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 20 * 2 ** 20,
  maxImages: 16,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 4096,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 60_000,
  formEndMs: 2_000,
  keepAliveMs: 72_000,
  readGraceMs: 30_000,
  readBytesPerSecond: 64 * 1024,
  lingerMs: 5_000,
};
