import { readdir } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { type RunView, WatchedRun } from "./watched-run.ts";

/** `<folder>/multirun/<date>/<time>/<n>` is the deepest place of a run. */
const deepest = 4;
/** New runs are looked for at each fifth look only. */
const looksPerSearch = 5;
const mostRuns = 1000;

/** What a page is told: everything at first, changes afterwards. */
export interface Changes {
  /** The clock of the machine that reads the files, in milliseconds. */
  readonly now: number;
  readonly runs: readonly RunView[];
  readonly gone: readonly number[];
}

/** The runs below some folders, as they come and go. */
export class WatchedRuns {
  readonly #folders: () => readonly string[];
  readonly #base: string;
  readonly #now: () => number;
  readonly #runs = new Map<string, { readonly id: number; readonly run: WatchedRun }>();
  #ids = 0;
  #looks = 0;

  /** @param folders asked again at each search; @param base what names are relative to; @param now milliseconds */
  constructor(folders: () => readonly string[], base: string, now: () => number) {
    [this.#folders, this.#base, this.#now] = [folders, base, now];
  }

  /** Looks for runs, not at them. @returns ids of those that are gone */
  async search(): Promise<number[]> {
    const found = new Set<string>();
    for (const folder of this.#folders()) await this.#find(folder, deepest, found);
    const gone = [...this.#runs].filter(([folder]) => !found.has(folder));
    for (const [folder] of gone) this.#runs.delete(folder);
    for (const folder of found) {
      if (this.#runs.has(folder)) continue;
      const name = relative(this.#base, folder) || basename(folder);
      this.#runs.set(folder, { id: this.#ids, run: new WatchedRun(folder, this.#ids++, name) });
    }
    return gone.map(([, { id }]) => id);
  }

  get count(): number {
    return this.#runs.size;
  }

  get all(): Changes {
    return { now: this.#now(), runs: [...this.#runs.values()].map(({ run }) => run.view), gone: [] };
  }

  /** Looks at all runs, one after the other: network disks are not asked hundreds of things at once. */
  async poll(): Promise<Changes> {
    const gone = this.#looks++ % looksPerSearch === 0 ? await this.search() : [];
    const now = this.#now();
    const runs: RunView[] = [];
    for (const { run } of this.#runs.values()) {
      const change = await run.poll(now);
      if (change) runs.push(change);
    }
    return { now, runs, gone };
  }

  /** A run's folder has an environment.json, and no runs below it. Links are not followed. */
  async #find(folder: string, depth: number, found: Set<string>): Promise<void> {
    if (found.size >= mostRuns) return;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const isRun = entries.some(({ name }) => name === "environment.json");
    if (isRun) found.add(folder);
    if (isRun || depth === 0) return;
    const folders = entries.filter((entry) => entry.isDirectory() && !/^(\.|node_modules$)/.test(entry.name));
    // The newest first, should there be too many.
    const names = folders.map(({ name }) => name).sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
    for (const name of names) await this.#find(join(folder, name), depth - 1, found);
  }
}
