/** Something prepared that holds memory until it is released. */
export interface Prepared {
  release(): Promise<void>;
}

interface Entry<T> {
  readonly made: Promise<T>;
  /** Settled when nobody uses it any more. */
  uses: Promise<void>;
}

/** Keeps what was prepared, a few of them: the least recently used goes, once nobody uses it. */
export class SessionCache<T extends Prepared> {
  readonly #limit: number;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<T>>();
  #released: Promise<void> = Promise.resolve();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Works with what is kept under a key, or makes it: `make` is called at once then. What cannot be made is tried anew next time. */
  use<R>(key: string, make: () => Promise<T>, work: (prepared: T) => Promise<R>): Promise<R> {
    const entry = this.#entries.get(key) ?? { made: make(), uses: Promise.resolve() };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.made.catch(() => this.#entries.get(key) === entry && this.#entries.delete(key));
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#retire(oldest);
    }
    const result = entry.made.then(work);
    entry.uses = Promise.allSettled([entry.uses, result]).then(() => {});
    return result;
  }

  /** Releases what is kept under keys that begin so; resolves when all of it is gone, and what went before. */
  drop(prefix: string): Promise<void> {
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.#retire(key);
    return this.#released;
  }

  #retire(key: string): void {
    const { uses, made } = this.#entries.get(key)!;
    this.#entries.delete(key);
    const gone = uses.then(async () => (await made).release()).catch(() => {});
    this.#released = Promise.all([this.#released, gone]).then(() => {});
  }
}
