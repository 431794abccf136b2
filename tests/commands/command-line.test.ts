import { describe, expect, it } from "vitest";
import type { Command } from "../../src/commands/command.ts";
import { parseCommandLine } from "../../src/commands/command-line.ts";
import type { CommandEntry } from "../../src/commands/registry.ts";
import { ConfigError } from "../../src/errors.ts";

const examples = [
  ["astrochem train", "trains"],
  ["astrochem train lr=1", "trains fast"],
] as const;

const train: Command = {
  describe: "Trains.",
  positionals: {},
  options: {
    resume: { type: "string", describe: "from where", choices: ["last", "best"] },
    from: { type: "string", describe: "which run", optionalValue: true },
    depth: { type: "number", describe: "how deep" },
  },
  config: { root: "config", aliases: { lr: "model.lr" } },
  examples,
  run: async () => {},
};

const convert: Command = {
  describe: "Converts.",
  positionals: { source: "what", target: "to where" },
  options: {},
  examples,
  run: async () => {},
};

const entries: CommandEntry[] = [
  { name: "train", usage: "[overrides..]", summary: "train", load: async () => train },
  { name: "convert", usage: "<source> [target]", summary: "convert", load: async () => convert },
];

const options = { version: "1.2.3", width: 80, place: { cwd: "/nowhere", env: {}, now: () => new Date(0) } };
const parse = (...words: string[]) => parseCommandLine(words, entries, options);

async function problem(...words: string[]): Promise<string> {
  const error = await parse(...words).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as Error).message;
}

async function request(...words: string[]) {
  const got = await parse(...words);
  if (got.kind !== "command") throw new Error(got.text);
  return got;
}

async function text(...words: string[]): Promise<string> {
  const got = await parse(...words);
  if (got.kind !== "text") throw new Error("a command");
  return got.text;
}

describe("overrides", () => {
  it("pass through as the strings that were typed", async () => {
    const overrides = [
      "+a=b",
      "~c",
      "++d=[1,2]",
      "x.lr=-1",
      "e={a: 1}",
      "f='a b'",
      "007",
      "1e3",
      `g=\${h}`,
      "dataset=grav",
      "a='x,y'",
    ];
    expect((await request("train", ...overrides)).overrides).toEqual(overrides);
  });

  it("may stand between flags and after --", async () => {
    const got = await request("train", "a=1", "--depth", "2", "b=2", "--json", "c=3", "--", "--d=4");
    expect(got.overrides).toEqual(["a=1", "b=2", "c=3", "--d=4"]);
    expect(got.args).toMatchObject({ depth: 2, json: true });
  });

  it("have their short names replaced", async () => {
    expect((await request("train", "lr=5e-4")).overrides).toEqual(["model.lr=5e-4"]);
  });

  it("are an empty list where none are given", async () => {
    expect((await request("train")).overrides).toEqual([]);
  });
});

describe("a flag whose value may be left out", () => {
  it.each([
    [["--from"], "", []],
    [["--from", "outputs/2026-11-23/x"], "outputs/2026-11-23/x", []],
    [["--from=runs/a"], "runs/a", []],
    [["--from", "model.lr=1"], "", ["model.lr=1"]],
    [["--from", "~model.lr"], "", ["~model.lr"]],
    [["model.lr=1", "--from"], "", ["model.lr=1"]],
    [["--from", "run_dir=a/b", "seed=1"], "", ["run_dir=a/b", "seed=1"]],
    [["--from", "./a=b"], "./a=b", []],
  ])("takes %j", async (words, value, overrides) => {
    const got = await request("train", ...words);
    expect([got.args.from, got.overrides]).toEqual([value, overrides]);
  });
});

describe("flags", () => {
  it("collect repeated folders, one word each", async () => {
    const got = await request("train", "--config-dir", "x", "a=1", "--config-dir=y");
    expect(got.args["config-dir"]).toEqual(["x", "y"]);
    expect(got.overrides).toEqual(["a=1"]);
  });

  it("may stand before the command", async () => {
    const got = await request("--debug", "--cfg", "job", "train", "a=1");
    expect(got).toMatchObject({ name: "train", overrides: ["a=1"], args: { debug: true, cfg: "job" } });
  });

  it("are refused where unknown, with the nearest", async () => {
    expect(await problem("train", "--resme", "last")).toMatchInlineSnapshot(`
      "unknown flag \`--resme\`
        fix  did you mean \`--resume\`?"
    `);
  });

  it("that look like a setting say how settings are given", async () => {
    expect(await problem("train", "--model.latent_dim=3")).toMatchInlineSnapshot(`
      "unknown flag \`--model.latent_dim\`
        fix  settings are given without dashes: model.latent_dim=3"
    `);
  });

  it.each(["--constructor", "--__proto__", "--toString", "--hasOwnProperty=1"])(
    "named like %s, at which yargs stumbles, are refused too",
    async (flag) => {
      expect(await problem("train", flag)).toMatch(/^(unknown flag|cannot read the command line)/);
    },
  );

  it("of short form are refused", async () => {
    expect(await problem("train", "-x")).toMatch(/^unknown flag `-x`/);
    expect(await problem("convert", "a", "-xyz")).toMatch(/^unknown flag `-xyz`/);
  });

  it("of the configuration are unknown to commands without one", async () => {
    expect(await problem("convert", "a", "--cfg", "job")).toMatch(/^unknown flag `--cfg`/);
  });

  it("refuse values that they do not take", async () => {
    expect(await problem("train", "--resume", "latest")).toMatchInlineSnapshot(`
      "--resume does not take \`latest\`
        fix  give last or best"
    `);
    expect(await problem("train", "--depth", "deep")).toBe("--depth takes a number");
    expect(await problem("train", "--cfg")).toBe("--cfg needs a value");
    expect(await problem("train", "--cfg", "job", "--cfg", "job")).toBe("--cfg is given more than once");
  });
});

describe("commands", () => {
  it("that are unknown are refused with the nearest", async () => {
    expect(await problem("tran", "a=1")).toMatchInlineSnapshot(`
      "unknown command \`tran\`
        fix  did you mean \`train\`? commands: train, convert, completion"
    `);
    expect(await problem("tran", "--help")).toMatch(/^unknown command `tran`/);
  });

  it("that are absent are asked for", async () => {
    expect(await parse()).toEqual({ kind: "text", exitCode: 2, text: await text("--help") });
    expect(await problem("--json")).toMatch(/^no command/);
    expect(await problem("--jsn")).toMatch(/^unknown flag/);
  });

  it("get their positionals by name", async () => {
    expect((await request("convert", "a.pth", "b")).args).toEqual({ source: "a.pth", target: "b" });
  });

  it("refuse too few and too many arguments", async () => {
    expect(await problem("convert")).toMatchInlineSnapshot(`
      "1 argument is missing
        fix  astrochem convert <source> [target]"
    `);
    expect(await problem("convert", "a", "b", "c")).toMatchInlineSnapshot(`
      "unexpected argument \`c\`
        fix  astrochem convert <source> [target]"
    `);
  });

  it("that cannot be loaded throw what loading threw", async () => {
    const broken = { ...entries[0]!, load: () => Promise.reject(new TypeError("broken")) };
    await expect(parseCommandLine(["train"], [broken], options)).rejects.toThrow(TypeError);
  });
});

describe("texts", () => {
  it("of the program list the commands", async () => {
    expect(await text("--help")).toMatchInlineSnapshot(`
      "Learns fast surrogates of astrochemical reaction networks, and runs them.

      astrochem <command> [overrides..]

      Commands:
        astrochem train [overrides..]        train
        astrochem convert <source> [target]  convert
        astrochem completion                 print a script that completes commands
                                             and flags in your shell

      Options:
        --help        show this help (also -h)                               [boolean]
        --version     show the version                                       [boolean]
        --cfg         job: print the composed configuration as YAML and stop  [string]
        --resolve     with --cfg: resolve its interpolations                 [boolean]
        --config-dir  search this folder for configuration files first; may be
                      repeated                                                 [array]
        --json        print the results as JSON, and nothing else, on stdout [boolean]
        --debug       log every detail; show stack traces of errors          [boolean]

      Examples:
        # the whole path on the bundled sample
        astrochem demo
        # its first step alone: the clean dataset
        astrochem preprocess dataset=sample"
    `);
  });

  it("of a command end with two examples", async () => {
    expect(await text("train", "--help")).toMatchInlineSnapshot(`
      "Trains.

      astrochem train [overrides..]

      Options:
        --resume  from where: last, best                                      [string]
        --from    which run                                                   [string]
        --depth   how deep                                                    [number]

      Global options:
        --cfg         job: print the composed configuration as YAML and stop  [string]
        --resolve     with --cfg: resolve its interpolations                 [boolean]
        --config-dir  search this folder for configuration files first; may be
                      repeated                                                 [array]
        --json        print the results as JSON, and nothing else, on stdout [boolean]
        --debug       log every detail; show stack traces of errors          [boolean]
        --help        show this help (also -h)                               [boolean]
        --version     show the version                                       [boolean]

      Overrides (in quotes where the shell would read them: '~key' 'a=[1,2]'):
        key=value     set a key of the configuration: dataset.phys=[Av,gasTemp]
        +key=value    add a key; ++key=value adds or sets it
        ~key          take a key out
        group=option  choose a configuration file: dataset=sample

      Short names:
        lr=…  model.lr=…

      Examples:
        # trains
        astrochem train
        # trains fast
        astrochem train lr=1"
    `);
  });

  it("of a command without configuration leave its flags out", async () => {
    expect(await text("convert", "--help")).not.toMatch(/--cfg|--resolve|--config-dir/);
  });

  it("load no command for the program's help, and only the one asked for otherwise", async () => {
    const forbidden = entries.map((entry) => ({
      ...entry,
      load: () => Promise.reject(new Error(`loaded ${entry.name}`)),
    }));
    await parseCommandLine(["--help"], forbidden, options);
    await parseCommandLine(["convert", "--help"], [forbidden[0]!, entries[1]!], options);
  });

  it("show the version", async () => {
    expect(await text("--version")).toBe("1.2.3");
  });

  it("complete commands and flags", async () => {
    expect(await text("completion")).toContain("_astrochem_yargs_completions");
    expect((await text("--get-yargs-completions", "astrochem", "tr")).split("\n")).toContain("train");
    expect((await text("--get-yargs-completions", "astrochem", "train", "--")).split("\n")).toContain("--resume");
  });
});
