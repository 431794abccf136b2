/** One training of the built program in a process of its own, so that its peak memory is its own: a loader of TypeScript would add its own. */
import { readFileSync } from "node:fs";
import { chooseEngine } from "../dist/backend/choose-engine.js";
import { trainAutoencoder } from "../dist/training/autoencoder-run.js";

/** Rows/s from the first batch's end (it is the one that compiles) on, without the validation. */
class RateMeter {
  #rows = 0;
  #milliseconds = 0;
  #since = null;
  #hasCompiled = false;

  epochStarted() {
    if (this.#hasCompiled) this.#since = performance.now();
  }

  batchDone(items) {
    const now = performance.now();
    if (this.#since !== null) {
      this.#rows += items;
      this.#milliseconds += now - this.#since;
    }
    this.#hasCompiled = true;
    this.#since = now;
  }

  validationStarted() {
    this.#since = null;
  }

  get rate() {
    return this.#rows === 0 ? null : (1000 * this.#rows) / this.#milliseconds;
  }
}

const job = JSON.parse(readFileSync(0, "utf8"));
const { engine } = await chooseEngine({ engine: "compiled" });
const meter = new RateMeter();
const started = performance.now();
await trainAutoencoder(job, {
  engine,
  observer: meter,
  log: (message) => process.stderr.write(`  ${message}\n`),
  signal: new AbortController().signal,
  now: Date.now,
  checkpoints: { folder: job.checkpointFolder, minutes: 10, config: {}, isWanted: () => false, resumed: null },
});
const seconds = (performance.now() - started) / 1000;
// Kilobytes on Linux and macOS.
const peak_mb = (process.resourceUsage().maxRSS * 1024) / 1e6;
process.stdout.write(JSON.stringify({ seconds, rate: meter.rate, peak_mb }));
