import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./commands/buffers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = process.env.ASTROCHEM_SKIP_BUILD
  ? ["--import", import.meta.resolve("tsx"), join(root, "src/cli.ts")]
  : [join(root, "dist/cli.js")];
const raw = join(root, "tests/fixtures/golden/preprocess/raw.h5");

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The built program as a user runs it, in `cwd`. */
function astrochem(
  words: readonly string[],
  cwd = temporaryFolder(),
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { NO_COLOR, FORCE_COLOR, ...inherited } = process.env;
  return new Promise((done) => {
    const options = { cwd, env: { ...inherited, ...env } };
    execFile(process.execPath, [...program, ...words], options, (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

describe("the program", () => {
  it("preprocesses a raw file from end to end", async () => {
    const cwd = temporaryFolder();
    const asOriginal = ["dataset.start=configured", "dataset.preprocessing.uneven_steps=allow"];
    const words = ["preprocess", `input_path=${raw}`, "output_path=clean.h5", ...asOriginal];
    const { code, stdout, stderr } = await astrochem(words, cwd);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^split +tracers +rows +columns\n\/train +6 +57 +340\n/),
    });
    expect(stderr).toContain("wrote /train");
    expect(readdirSync(cwd).sort()).toEqual(["clean.h5", "outputs"]);
  });

  it("tells data errors on stderr alone and exits with 3", async () => {
    const cwd = temporaryFolder();
    const { code, stdout, stderr } = await astrochem(["preprocess", "input_path=absent.h5"], cwd);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^error: .*absent\.h5/);
    expect(stderr).not.toContain("node:");
    expect(readdirSync(cwd)).toEqual(["outputs"]);
  });

  it("shows stack traces with --debug", async () => {
    const { code, stderr } = await astrochem(["preprocess", "input_path=absent.h5", "--debug"]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/\n {4}at .*readHead/);
  });

  it("prints the composed configuration", async () => {
    const { code, stdout } = await astrochem(["preprocess", "--cfg", "job", "train_split=0.8"]);
    expect(code).toBe(0);
    expect(stdout).toContain("train_split: 0.8\n");
    expect(stdout).toContain("$" + "{");
    const resolved = await astrochem(["preprocess", "--cfg", "job", "--resolve", "--json"]);
    expect(JSON.parse(resolved.stdout).dataset.preprocessing.train_split).toBe(0.75);
    expect(resolved.stdout).not.toContain("$" + "{");
  });

  it.each([
    [["preproces"], 2, "did you mean `preprocess`?"],
    [["preprocess", "--resolve"], 2, "add `--cfg job`"],
    [["preprocess", "dataset.preprocessing.train_splt=0.8"], 2, "train_split"],
  ])("answers %j with exit code %i and a way out", async (words, code, fix) => {
    const outcome = await astrochem(words);
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
    expect(outcome.stderr).toContain(fix);
  });

  it("colours errors only where that is wanted", async () => {
    expect((await astrochem(["nope"], undefined, { FORCE_COLOR: "1" })).stderr).toContain("\x1b[31merror:\x1b[39m");
    expect((await astrochem(["nope"], undefined, { NO_COLOR: "1" })).stderr).toMatch(/^error:/);
  });

  it("shows the help of every command, each ending with two examples", async () => {
    const { stdout } = await astrochem(["--help"]);
    const names = [...stdout.matchAll(/^ {2}astrochem ([\w-]+)(?: [<[].*)? {2,}/gm)].map((match) => match[1]!);
    expect(names).toContain("preprocess");
    for (const name of names.filter((each) => each !== "completion")) {
      const help = await astrochem([name, "--help"]);
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout, name).toMatch(/\nExamples:(\n {2}# .+\n {2}astrochem .+){2}\n$/);
    }
  });

  it("minds no reader who stops reading", async () => {
    const child = spawn(process.execPath, [...program, "preprocess", "--cfg", "job"], { cwd: temporaryFolder() });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((done) => child.on("exit", done));
    expect([code, stderr]).toEqual([0, ""]);
  });

  /** The command in a child that gets the signals while it works. */
  async function interrupted(cwd: string, signals: readonly NodeJS.Signals[]) {
    const words = ["preprocess", "dataset=sample", "output_path=clean.h5"];
    const child = spawn(process.execPath, [...program, ...words], { cwd });
    const left = [...signals];
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      // The next one only when the last one was answered: signals of one kind do not queue.
      if (stderr.includes("read ") && (left.length === signals.length || stderr.includes("once more"))) {
        const signal = left.shift();
        if (signal) child.kill(signal);
      }
    });
    const code = await new Promise((done) => child.on("close", done));
    return { code, stderr };
  }

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends well at %s, with exit code %i and no partial file", async (signal, expected) => {
    const cwd = temporaryFolder();
    const { code, stderr } = await interrupted(cwd, [signal]);
    expect([code, stderr]).toEqual([expected, expect.stringContaining(`interrupted by ${signal}`)]);
    expect(readdirSync(cwd)).toEqual(["outputs"]);
  });

  it("leaves no partial file either where a second signal ends it at once", async () => {
    const cwd = temporaryFolder();
    expect(await interrupted(cwd, ["SIGTERM", "SIGINT"])).toMatchObject({ code: expect.toBeOneOf([130, 143]) });
    expect(readdirSync(cwd)).toEqual(["outputs"]);
  });
});

/** The packages that loading `path` loads at once, through our own modules too; dynamic imports are not followed. */
function packagesOf(path: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(path)) return packages;
  seen.add(path);
  const imports = readFileSync(path, "utf8").matchAll(/^(?:import|export) (?!type\b)(?:[\w*{},\s]+ from )?"([^"]+)"/gm);
  for (const [, target] of imports) {
    if (target!.startsWith("./") || target!.startsWith("../")) {
      for (const each of packagesOf(resolve(dirname(path), target!), seen)) packages.add(each);
    } else if (!target!.startsWith("node:")) packages.add(target!);
  }
  return packages;
}

describe("the start", () => {
  it("loads yargs alone: help and version are there at once", () => {
    expect([...packagesOf(join(root, "src/cli.ts"))]).toEqual(["yargs"]);
  });

  it("of a command loads neither tensors nor HDF5 before its arguments are checked", async () => {
    const { commands } = await import("../src/commands/registry.ts");
    for (const { name } of commands) {
      const heavy = [...packagesOf(join(root, `src/commands/${name}.ts`))].filter((each) =>
        /tensorflow|h5wasm|onnx/.test(each),
      );
      expect(heavy, name).toEqual([]);
    }
  });
});
