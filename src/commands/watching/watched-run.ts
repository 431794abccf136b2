import { readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { soundFile, soundJson } from "../../formats/checked-content.ts";
import { lockState } from "../../formats/lock.ts";
import { metricOf } from "../../training/epoch-log.ts";
import { planEpochs, sumOf } from "../../training/phase-plan.ts";
import { runLock } from "../fresh-folder.ts";
import { printableLine } from "../printable.ts";
import { FileTail } from "./file-tail.ts";

/** A run touches its lock every 20 s while it works, and writes in between. */
const silence_ms = 180_000;
const [mostLines, longestLog_bytes, mostPoints] = [20, 64 * 1024, 2000];

/** Epoch (from 1), training loss, error in dex, relative error, learning rate, items per second, seconds until its end. */
type Point = readonly [epoch: number, ...values: (number | null)[], seconds: number];

/** What the page knows of a run; of a change `points` are the new ones, unless `isWhole`. */
export interface RunView {
  readonly id: number;
  readonly name: string;
  readonly command: string;
  readonly overrides: readonly string[];
  readonly state: "running" | "ended" | "interrupted" | "failed" | "silent";
  readonly unit: "rows" | "windows";
  readonly metric: "dex" | "relative";
  /** Epochs at most. */
  readonly maxEpochs: number | null;
  /** Seconds from the end of the last epoch to that of the training, if nothing ends it earlier. */
  readonly left: number | null;
  /** When the last epoch ended, in milliseconds. */
  readonly lastEpoch: number;
  /** The least of the metric so far. */
  readonly best: number | null;
  readonly isWhole: boolean;
  readonly points: readonly Point[];
  readonly log: readonly string[];
}

type Head = Omit<RunView, "points" | "log" | "isWhole">;

const environmentSchema = z.looseObject({ command: z.string(), overrides: z.array(z.string()).catch([]) });
const summarySchema = z.looseObject({ outcome: z.enum(["completed", "interrupted", "failed"]) });
const limit = z.number().nullable().catch(null);
const configSchema = z.looseObject({
  members: z.number().catch(1),
  model: z.looseObject({ max_epochs: limit, max_minutes: limit }),
  recipe: z.looseObject({ phases: z.array(z.looseObject({ epochs: limit })) }),
});
const amount = z.number().nullable().catch(null);
const recordSchema = z.looseObject({
  epoch: z.number(),
  member: z.int().min(0).max(1e6).catch(0),
  ...{ mean: amount, dex: amount, metric: amount, learning_rate: amount, items_per_second: amount },
  ...{ seconds_training: amount, seconds_validation: amount },
  train_loss: z.looseObject({ total: amount }).catch({ total: null }),
});
const logSchema = z.looseObject({
  level: z.number().catch(30),
  time: z.string(),
  msg: z.string().catch(""),
  err: z.looseObject({ message: z.string() }).optional().catch(undefined),
});

/** A run's folder, followed by its files alone: nothing in it is changed. */
export class WatchedRun {
  readonly #folder: string;
  readonly #epochs: FileTail;
  readonly #log: FileTail;
  #facts: { command: string; overrides: string[]; maxEpochs: number | null; maxMinutes: number | null } | null = null;
  #summary = "";
  #outcome: z.output<typeof summarySchema>["outcome"] | null = null;
  #isSettled = false;
  #metric: RunView["metric"] = "relative";
  #best: number | null = null;
  #points: Point[] = [];
  /** Epochs before those of each member. */
  #before: number[] = [];
  #lines: string[] = [];
  #head: Head;

  constructor(folder: string, id: number, name: string) {
    this.#folder = folder;
    this.#epochs = new FileTail(join(folder, "epochs.jsonl"));
    this.#log = new FileTail(join(folder, "run.log"), longestLog_bytes);
    this.#head = {
      ...{ id, name: printableLine(name), command: "", overrides: [], state: "silent", unit: "rows" },
      ...{ metric: "relative", maxEpochs: null, left: null, lastEpoch: 0, best: null },
    };
  }

  /** All that is known. */
  get view(): RunView {
    return { ...this.#head, isWhole: true, points: this.#points, log: this.#lines };
  }

  /** Looks at the files. @returns what is new; null where nothing is */
  async poll(now: number): Promise<RunView | null> {
    await this.#readSummary();
    // Nothing is written after the summary; a run that goes on takes it away.
    if (this.#isSettled) return null;
    const [epochs, log] = [await this.#epochs.read(), await this.#log.read()];
    this.#facts ??= this.#readFacts();
    const points = this.#addEpochs(epochs);
    if (log.isReplaced) this.#lines = [];
    this.#lines = [...this.#lines, ...log.lines.slice(-mostLines).map(logLine)].slice(-mostLines);
    const head = this.#newHead(now);
    const isNews =
      JSON.stringify(head) !== JSON.stringify(this.#head) ||
      points.new.length > 0 ||
      points.isWhole ||
      log.lines.length > 0;
    this.#head = head;
    this.#isSettled = this.#outcome !== null && !this.#epochs.isBehind;
    return isNews ? { ...head, isWhole: points.isWhole, points: points.new, log: this.#lines } : null;
  }

  async #readSummary(): Promise<void> {
    const path = join(this.#folder, "summary.json");
    const found = await stat(path).catch(() => null);
    const look = found === null ? "" : `${found.ino} ${found.mtimeMs}`;
    if (look === this.#summary) return;
    this.#summary = look;
    this.#outcome = soundFile(summarySchema, path)?.outcome ?? null;
    this.#isSettled = false;
    this.#facts = null;
  }

  /** What the run was told; null while its files are not there yet. */
  #readFacts() {
    const environment = soundFile(environmentSchema, join(this.#folder, "environment.json"));
    if (environment === null) return null;
    let config: z.output<typeof configSchema> | undefined;
    try {
      config = configSchema.safeParse(load(readFileSync(join(this.#folder, "config.yaml"), "utf8"))).data;
    } catch {
      return null;
    }
    const plan = config?.recipe.phases.map(({ epochs }) => epochs) ?? [];
    const epochs = config && plan.length > 0 ? sumOf(planEpochs(plan, config.model.max_epochs)) : null;
    // Members of an ensemble come one after the other, and each has the limits of a training.
    const ofAll = (limit: number | null): number | null => (limit === null ? null : limit * (config?.members ?? 1));
    return {
      command: printableLine(environment.command, 40),
      overrides: environment.overrides.slice(0, 100).map((text) => printableLine(text, 100)),
      maxEpochs: ofAll(epochs),
      maxMinutes: ofAll(config?.model.max_minutes ?? null),
    };
  }

  #addEpochs({ lines, isReplaced }: { lines: readonly string[]; isReplaced: boolean }) {
    const records = lines.flatMap((line) => soundJson(recordSchema, line) ?? []);
    let isWhole = isReplaced;
    if (isReplaced) [this.#points, this.#before, this.#best, this.#facts] = [[], [], null, this.#readFacts()];
    const first = this.#points.length;
    for (const record of records) {
      // Those of an ensemble's members are counted on.
      this.#before[record.member] ??= this.#points.at(-1)?.[0] ?? 0;
      const epoch = this.#before[record.member]! + record.epoch + 1;
      if (epoch <= (this.#points.at(-1)?.[0] ?? 0)) {
        isWhole = true;
        this.#points = this.#points.filter((point) => point[0] < epoch);
      }
      if (record.metric !== null) this.#best = Math.min(this.#best ?? record.metric, record.metric);
      const { train_loss, dex, mean, learning_rate, items_per_second, seconds_training, seconds_validation } = record;
      const seconds = secondsOf(this.#points.at(-1)) + (seconds_training ?? 0) + (seconds_validation ?? 0);
      this.#points.push([epoch, train_loss.total, dex, mean, learning_rate, items_per_second, seconds]);
    }
    // Where an epoch's errors are no numbers they do not tell.
    if (metricOf(records as object[]) === "dex") this.#metric = "dex";
    const fresh = isWhole ? [...this.#points] : this.#points.slice(first);
    // Of a long training every other epoch is as good for the eye.
    if (this.#points.length > mostPoints) this.#points = this.#points.filter((_, i, all) => (all.length - i) % 2 === 1);
    return { isWhole, new: fresh };
  }

  #newHead(now: number): Head {
    const { command = "", overrides = [], maxEpochs = null } = this.#facts ?? {};
    const unit = command === "train-emulator" ? "windows" : "rows";
    return {
      ...{ id: this.#head.id, name: this.#head.name, command, overrides, unit, maxEpochs },
      ...{ metric: this.#metric, best: this.#best, lastEpoch: this.#epochs.modified_ms },
      state: this.#stateAt(now),
      left: this.#left(),
    };
  }

  #stateAt(now: number): RunView["state"] {
    if (this.#outcome !== null) return this.#outcome === "completed" ? "ended" : this.#outcome;
    const lock = runLock(this.#folder);
    const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const wrote = Math.max(touched, this.#epochs.modified_ms, this.#log.modified_ms);
    return now - wrote < silence_ms && lockState(lock) === "held" ? "running" : "silent";
  }

  /** By the ten last epochs: those of another phase take another time. */
  #left(): number | null {
    const last = this.#points.at(-1);
    if (last === undefined || this.#facts === null) return null;
    const { maxEpochs, maxMinutes } = this.#facts;
    const before = this.#points.at(-11);
    const each = (secondsOf(last) - secondsOf(before)) / (last[0] - (before?.[0] ?? 0));
    const limits = [
      maxEpochs === null ? null : each * Math.max(0, maxEpochs - last[0]),
      maxMinutes === null ? null : Math.max(0, maxMinutes * 60 - secondsOf(last)),
    ].filter((each) => each !== null);
    return limits.length > 0 ? Math.round(Math.min(...limits)) : null;
  }
}

function secondsOf(point: Point | undefined): number {
  return (point?.at(-1) as number | undefined) ?? 0;
}

const levels: Readonly<Record<number, string>> = { 20: "debug: ", 40: "warning: ", 50: "error: ", 60: "error: " };

/** `10:15:00 warning: message`, in local time. */
function logLine(line: string): string {
  const entry = soundJson(logSchema, line);
  if (entry === null) return printableLine(line);
  const { level, time, msg, err } = entry;
  const at = new Date(time);
  const clock = Number.isNaN(at.getTime()) ? "" : `${at.toTimeString().slice(0, 8)} `;
  return printableLine(`${clock}${levels[level] ?? ""}${msg}${err ? `: ${err.message}` : ""}`, 500);
}
