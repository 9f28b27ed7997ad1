import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * Values by file. Paths name the same file if they end in the same name in the same folder, whether they are relative or
 * absolute, and through links to folders or not. A link to a file is a file of its own, as datasets have one for each label.
 * Members of a tar are TAR/MEMBER.
 */
export class FileMap<Value> {
  readonly #values = new Map<string, Value>();
  /** The real path of each folder. */
  readonly #folders = new Map<string, string>();

  async get(path: string): Promise<Value | undefined> {
    return this.#values.get(await this.#key(path));
  }

  async set(path: string, value: Value): Promise<void> {
    this.#values.set(await this.#key(path), value);
  }

  /** In the order in which their files were first set. */
  values(): readonly Value[] {
    return [...this.#values.values()];
  }

  async #key(path: string): Promise<string> {
    const slash = path.lastIndexOf('/');
    const folder = slash < 0 ? '.' : path.slice(0, slash) || '/';
    let real = this.#folders.get(folder);
    if (real === undefined) {
      real = await this.#realFolder(folder);
      this.#folders.set(folder, real);
    }
    return `${real}/${path.slice(slash + 1)}`;
  }

  async #realFolder(folder: string): Promise<string> {
    try {
      return await realpath(folder);
    } catch {
      // It is missing, or inside a tar: the folder above tells.
      return folder === '.' || folder === '/' ? resolve(folder) : await this.#key(folder);
    }
  }
}
