import { type ExecFileSyncOptionsWithStringEncoding, execFileSync, spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { fixture } from "./helpers/fixtures.ts";
import { testFolder } from "./helpers/folder.ts";

const folder = testFolder();
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/** npm of its own configuration: nothing of the developer's but where the registry is. */
function npm(args: readonly string[], options: Partial<ExecFileSyncOptionsWithStringEncoding> = {}): string {
  return execFileSync("npm", args, { encoding: "utf8", env: clean, stdio: ["ignore", "pipe", "pipe"], ...options });
}
const clean = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip", NODE_OPTIONS: "", npm_config_loglevel: "error" };

const lacking = ((): string | undefined => {
  const ping = spawnSync("npm", ["view", "h5wasm", "version"], { env: clean, timeout: 60_000 });
  return ping.status === 0 ? undefined : "the registry is out of reach";
})();

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

describe("the published package", () => {
  // `--ignore-scripts`: the tests have built it already.
  const [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder])) as [Packed];

  it("holds the program, its settings, tables, guides and examples, and nothing else", () => {
    const paths = packed.files.map(({ path }) => path);
    const kinds = [
      /^dist\/[\w/-]+\.(js|d\.ts)$/,
      /^configs\/[\w/]+\.(yaml|json)$/,
      /^utils\/(README\.md|species\.txt|initial_abundances\.npy|stoichiometric_matrix\.npy)$/,
      /^docs\/([\w-]+\.md|(figure|growth)\.svg)$/,
      /^examples\/([\w-]+\.(mjs|md)|(c|fortran|python)\/column\.(c|f90|py))$/,
      /^(data\/(README\.md|sample_collapse\.h5)|package\.json|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE)$/,
    ];
    expect(paths.filter((path) => !kinds.some((kind) => kind.test(path)))).toEqual([]);
    for (const kind of kinds) expect(paths.some((path) => kind.test(path))).toBe(true);
    const needed = ["dist/cli.js", "dist/index.js", "dist/index.d.ts", "data/sample_collapse.h5", "utils/species.txt"];
    expect(needed.filter((path) => !paths.includes(path))).toEqual([]);
  });

  it("holds what its pages link to", () => {
    const paths = new Set(packed.files.map(({ path }) => path));
    const broken = [...paths]
      .filter((path) => path.endsWith(".md"))
      .flatMap((page) => {
        const links = readFileSync(page, "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g);
        return [...links]
          .map(([, target]) => ({ page, target: target!, path: join(dirname(page), target!) }))
          .filter(
            ({ path }) => ![...paths].some((each) => each === path || each.startsWith(`${path.replace(/\/$/, "")}/`)),
          )
          .map(({ page, target }) => `${page} → ${target}`);
      });
    expect(broken).toEqual([]);
  });

  it("leaves a program that can be run: `npm link` survives `npm pack`", () => {
    npm(["run", "--silent", "build"]);
    expect(statSync("dist/cli.js").mode & 0o111).toBe(0o111);
  });

  describe.skipIf(lacking)(`in an empty folder${lacking ? ` (${lacking})` : ""}`, () => {
    const astrochem = (args: readonly string[]): string =>
      execFileSync(process.execPath, ["node_modules/astrochem/dist/cli.js", ...args], {
        ...{ cwd: folder, env: clean, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
      });

    beforeAll(() => {
      writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true }');
      npm(["install", "--no-audit", "--no-fund", join(folder, packed.filename)], { cwd: folder });
    });

    it("brings the command, also as npx finds it", () => {
      expect(astrochem(["--version"]).trim()).toBe(version);
      expect(npm(["exec", "--no", "--", "astrochem", "--version"], { cwd: folder }).trim()).toBe(version);
    });

    it("runs the demo", () => {
      expect(astrochem(["demo", "--quick"])).toContain(
        "figures: outputs/demo/report.html; all numbers: outputs/demo/metrics.json",
      );
    });

    it.each([
      ["an ES module", "use.mjs", 'import { Inference } from "astrochem";'],
      ["CommonJS", "use.cjs", 'import("astrochem").then(({ Inference }) => use(Inference));'],
    ])("is imported from %s", (_, name, line) => {
      const body = `
        ${line}
        async function use(Inference) {
          const surrogate = await Inference.load({ autoencoder: ${JSON.stringify(fixture("formats/autoencoder-v1.safetensors"))} });
          const { shape } = await surrogate.encode({ data: [0.1, 0.5, 1e-4], shape: [1, 3] });
          surrogate.dispose();
          console.log(JSON.stringify(shape));
        }
        ${name.endsWith(".mjs") ? "await use(Inference);" : ""}`;
      writeFileSync(join(folder, name), body);
      const told = execFileSync(process.execPath, [name], { cwd: folder, env: clean, encoding: "utf8" });
      expect(told.trim()).toBe("[1,2]");
    });
  });
});
