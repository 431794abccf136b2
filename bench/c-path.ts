import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { headerFile } from "../src/export/c/header.ts";
import { cSurrogate } from "../src/export/c/source.ts";
import type { Models } from "../src/export/onnx-parts.ts";
import type { CaseName } from "./cases.ts";
import { Lines } from "./lines.ts";
import type { Clock } from "./peer.ts";

const kinds: Partial<Record<CaseName, string>> = {
  encode: "e",
  decode: "d",
  rollout: "r",
  "rollout and decode": "b",
  "encode, step and decode": "c",
};

/** The exported C, compiled by `cc` with OpenMP, as a process beside. */
export class CPath {
  readonly compiler: string;
  readonly #folder: string;
  readonly #lines: Lines;

  private constructor(folder: string, compiler: string, clock: Clock) {
    [this.#folder, this.compiler] = [folder, compiler];
    this.#lines = new Lines(spawn(join(folder, "path"), [clock], { env: { ...process.env, OMP_STACKSIZE: "16M" } }));
  }

  /** Null, with the reason on stderr, where it cannot be compiled. */
  static start(models: Models, cc: string, clock: Clock): CPath | null {
    const folder = mkdtempSync(join(tmpdir(), "astrochem-bench-"));
    const { about, source } = cSurrogate("surrogate", models);
    writeFileSync(join(folder, "surrogate.h"), headerFile(about));
    writeFileSync(join(folder, "surrogate.c"), source);
    cpSync(new URL("c-path.c", import.meta.url), join(folder, "path.c"));
    const flags = ["-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fopenmp"];
    try {
      const version = execFileSync(cc, ["--version"], { encoding: "utf8" }).split("\n")[0]!;
      execFileSync(cc, [...flags, "path.c", "surrogate.c", "-lm", "-o", "path"], { cwd: folder });
      return new CPath(folder, version, clock);
    } catch (error) {
      process.stderr.write(`no C: ${(error as Error).message.split("\n")[0]}\n`);
      rmSync(folder, { recursive: true });
      return null;
    }
  }

  /** Whether it has that case. */
  has(name: CaseName): boolean {
    return name in kinds;
  }

  /** @returns milliseconds of each repetition */
  async run(name: CaseName, batch: number, steps: number, threads: number, runs: number): Promise<number[]> {
    const line = await this.#lines.ask(`${kinds[name]} ${batch} ${steps} ${threads} ${runs}`);
    return line.trim().split(" ").map(Number);
  }

  stop(): void {
    this.#lines.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
