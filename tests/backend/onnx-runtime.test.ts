import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { fixture } from "../helpers/fixtures.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
const lacking = spawnSync("strace", ["-V"]).status === 0 ? null : "strace is not installed";

const computing = `
  const { Inference } = await import(${JSON.stringify(pathToFileURL(resolve("dist/index.js")).href)});
  const autoencoder = ${JSON.stringify(resolve(fixture("formats/autoencoder-v1.safetensors")))};
  const surrogate = await Inference.load({ autoencoder, engine: "compiled" });
  await surrogate.encode({ data: [0.1, 0.5, 1e-4], shape: [1, 3] });
  await surrogate.dispose();
  // A collector would be looked up within these seconds.
  await new Promise((done) => setTimeout(done, 2500));
  (await import("node:fs")).writeFileSync(${JSON.stringify(join(folder, "computed"))}, "");`;

const plain = `
  const ort = await import(${JSON.stringify(pathToFileURL(resolve("node_modules/onnxruntime-node/dist/index.js")).href)});
  await ort.default.InferenceSession.create(new Uint8Array(3)).catch(() => {});`;

const scripts = {
  "the main thread": computing,
  "a worker": `
    const { Worker, isMainThread } = await import("node:worker_threads");
    if (isMainThread) new Worker(new URL(import.meta.url));
    else { ${computing} }`,
  "a worker that the main thread waits for": `
    const { Worker, isMainThread, workerData } = await import("node:worker_threads");
    if (isMainThread) {
      const done = new Int32Array(new SharedArrayBuffer(4));
      new Worker(new URL(import.meta.url), { workerData: done });
      if (Atomics.wait(done, 0, 0, 50_000) === "timed-out") throw new Error("the worker waits for the main thread");
    } else {
      ${computing}
      Atomics.store(workerData, 0, 1);
      Atomics.notify(workerData, 0);
    }`,
};

/** Variables by which ONNX Runtime would know a test or a build server, and keep still of itself. */
const ofServers =
  /^(CI|TF_BUILD|GITHUB_|GITLAB_|JENKINS_|BUILD|TRAVIS|CIRCLECI|APPVEYOR|TEAMCITY_|CODEBUILD_|ORT_|XDG_)/;

/** Runs a script with a home and a folder of its own. @returns where, and what of the network it asked for */
function run(script: string, tracer: readonly string[] = []): { home: string; calls: string[] } {
  const home = mkdtempSync(join(folder, "home-"));
  const [file, trace] = [join(folder, "script.mjs"), join(folder, "trace.txt")];
  writeFileSync(file, script);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofServers.test(name)));
  const [program, ...args] = [...tracer, process.execPath, file];
  // The user's wish to be counted is not passed on either.
  execFileSync(program!, args, { cwd: home, env: { ...env, HOME: home, ORT_DISABLE_TELEMETRY: "0" } });
  const calls = tracer.length === 0 ? [] : readFileSync(trace, "utf8").split("\n");
  return { home, calls: calls.filter((line) => /AF_INET|resolv\.conf|connect\(|sendto\(/.test(line)) };
}

describe.skipIf(process.platform !== "linux")("ONNX Runtime's telemetry", () => {
  it.each(Object.keys(scripts) as (keyof typeof scripts)[])("is off in %s: nothing is written", (name) => {
    expect(readdirSync(run(scripts[name]).home)).toEqual([]);
    unlinkSync(join(folder, "computed"));
  });

  it("would be written without us", () => {
    expect(readdirSync(run(plain).home)).toContain(".cache");
  });

  it.skipIf(lacking)(`looks nothing up${lacking ? ` (skipped: ${lacking})` : ""}`, () => {
    const trace = ["strace", "-f", "-e", "trace=%network,openat", "-o", join(folder, "trace.txt")];
    expect(run(scripts["the main thread"], trace).calls).toEqual([]);
    // So that the pattern is known to find what it looks for.
    const lookUp = `import dns from "node:dns"; dns.lookup("localhost.invalid", () => {});`;
    expect(run(lookUp, trace).calls).not.toEqual([]);
  });
});
