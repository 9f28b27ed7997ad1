import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { chmod, chown, rename, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

export interface SocketAccess {
  /** Permissions, as in 0o660. Connecting takes the right to write. */
  readonly mode: number;
  /** Undefined leaves the process's own. */
  readonly owner?: { readonly uid: number | undefined; readonly gid: number | undefined } | undefined;
}

/** How a temporary name ends: a dot and four hexadecimal digits. */
const temporaryBytes = 5;

/** Longest path of a socket: Linux takes 107 bytes, and the temporary name is longer. */
export const longestSocketPath = 107 - temporaryBytes;

/**
 * A Unix domain socket at a path. A server listens at `listenPath`, a temporary name beside it; `publish()` then gives the
 * socket its mode and owner and moves it to the path. So no process connects before the permissions are set, and a stale
 * socket is replaced in one step.
 */
export class SocketFile {
  readonly path: string;
  readonly listenPath: string;
  readonly #access: SocketAccess;
  #inode: number | undefined;

  private constructor(path: string, access: SocketAccess) {
    this.path = path;
    this.listenPath = `${path}.${randomBytes(2).toString('hex')}`;
    this.#access = access;
  }

  /**
   * Throws `failed_precondition` if the path's folder does not exist, or if something other than a stale socket is at the
   * path: a file that is no socket, or a socket that another process listens on. `flag` chose the path.
   */
  static async at(path: string, flag: string, access: SocketAccess): Promise<SocketFile> {
    const folder = dirname(path);
    // libuv reports a missing folder as one that it may not write to.
    if (!existsSync(folder)) {
      throw refusal(
        `The folder ${folder} for the socket ${path} does not exist; create it, or choose another path with ${flag}.`,
      );
    }
    const found = statOf(path);
    if (found !== undefined) {
      if (!found.isSocket())
        throw refusal(`${path} exists and is not a socket; choose another path with ${flag}.`);
      if (await isLive(path)) {
        throw refusal(`Another process listens on the socket ${path}; choose another path with ${flag}.`);
      }
    }
    return new SocketFile(path, access);
  }

  /** Makes the socket that is listened on at `listenPath` the one at the path. */
  async publish(): Promise<void> {
    const { mode, owner } = this.#access;
    try {
      if (owner !== undefined) {
        const { uid = process.getuid!(), gid = process.getgid!() } = owner;
        await chown(this.listenPath, uid, gid);
      }
      await chmod(this.listenPath, mode);
      this.#inode = statOf(this.listenPath)?.ino;
      await rename(this.listenPath, this.path);
    } catch (thrown) {
      await unlink(this.listenPath).catch(() => undefined);
      throw refusal(`The socket ${this.path} cannot be set up: ${systemReason(thrown)}.`, thrown);
    }
  }

  /** Removes the socket from its path, unless another process has replaced it. */
  remove(): void {
    if (this.#inode === undefined || statOf(this.path)?.ino !== this.#inode) return;
    this.#inode = undefined;
    unlinkSync(this.path);
  }

  /** Why a server cannot listen. */
  failure(error: Error): ServiceError {
    return refusal(`Cannot listen on the socket ${this.path}: ${systemReason(error)}.`, error);
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Whether a process listens on a socket. One that this process may not write to counts as such. */
async function isLive(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}

function refusal(message: string, cause?: unknown): ServiceError {
  return new ServiceError('failed_precondition', message, cause === undefined ? {} : { cause });
}
