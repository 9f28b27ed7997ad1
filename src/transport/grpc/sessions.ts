import type { Http2Session, ServerHttp2Stream } from 'node:http2';

/** A server's connections, and how many calls are open on each. */
export class Sessions {
  readonly #open = new Map<Http2Session, number>();
  #lingerMs: number | undefined;

  /** For a server's `session` event. */
  add(session: Http2Session): void {
    this.#open.set(session, 0);
    session.once('close', () => this.#open.delete(session));
    this.#endWhenIdle(session);
  }

  /** For a server's `stream` event. */
  addStream(stream: ServerHttp2Stream): void {
    const { session } = stream;
    if (session === undefined) return;
    this.#count(session, 1);
    stream.once('close', () => {
      this.#count(session, -1);
      this.#endWhenIdle(session);
    });
  }

  /**
   * Ends every connection that has no call for `lingerMs`, in which its client may close it: one that is gone without
   * a word never does.
   */
  endIdle(lingerMs: number): void {
    this.#lingerMs = lingerMs;
    for (const session of this.#open.keys()) this.#endWhenIdle(session);
  }

  #count(session: Http2Session, change: number): void {
    const streams = this.#open.get(session);
    if (streams !== undefined) this.#open.set(session, streams + change);
  }

  #endWhenIdle(session: Http2Session): void {
    if (this.#lingerMs === undefined || this.#open.get(session) !== 0) return;
    const timer = setTimeout(() => {
      if (this.#open.get(session) === 0) session.destroy();
    }, this.#lingerMs);
    session.once('close', () => clearTimeout(timer));
  }
}
