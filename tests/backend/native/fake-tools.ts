import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type InstallReport, installNative } from "../../../src/backend/native/install.ts";
import { type NativeFolder, nativeFolder } from "../../../src/backend/native/paths.ts";

/** Programs that pretend to be pip, npm and a compiler, alone on a PATH; what is called is noted. */
export interface FakeTools {
  readonly folder: NativeFolder;
  readonly env: Record<string, string>;
  /** The calls that fetch or build, in their order. */
  calls(): string[];
  forget(): void;
  install(changes?: {
    tensorflow?: string;
    signal?: AbortSignal;
    env?: Record<string, string>;
  }): Promise<InstallReport>;
  readonly said: string[];
}

/** @param tools which of g++, make, python3 and npm there are */
export function fakeTools(root: string, tools: readonly string[] = ["g++", "make", "python3", "npm"]): FakeTools {
  const bin = join(root, "bin");
  mkdirSync(bin, { recursive: true });
  for (const name of tools) {
    writeFileSync(join(bin, name), `#!${process.execPath}\n${programs[name] ?? ""}`);
    chmodSync(join(bin, name), 0o755);
  }
  const notes = join(root, "calls");
  const env = { PATH: bin, NOTES: notes, HOME: root };
  const folder = nativeFolder(join(root, "cache"), "cpu");
  const said: string[] = [];
  return {
    folder,
    env,
    said,
    calls: () => (existsSync(notes) ? readFileSync(notes, "utf8").trim().split("\n") : []),
    forget: () => writeFileSync(notes, ""),
    install: ({ env: more, signal = new AbortController().signal, ...rest } = {}) =>
      installNative({ folder, env: { ...env, ...more }, signal, say: (message) => void said.push(message), ...rest }),
  };
}

/** A folder that looks like an installed TensorFlow; what is in its libraries is never read. */
export function fakeTensorFlow(sitePackages: string, version = "2.21.0"): string {
  const folder = join(sitePackages, "tensorflow");
  mkdirSync(join(folder, "include", "tensorflow", "c"), { recursive: true });
  mkdirSync(join(sitePackages, `tensorflow_cpu-${version}.dist-info`));
  for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", "include/tensorflow/c/c_api.h"]) {
    writeFileSync(join(folder, name), "");
  }
  return folder;
}

/** Registers tfjs' own JavaScript backend as "tensorflow": what loads it must have handed it the same tfjs. */
const fakeAddon = `
  const tf = require("@tensorflow/tfjs");
  for (const kernel of tf.getKernelsForBackend("cpu")) tf.registerKernel({ ...kernel, backendName: "tensorflow" });
  tf.registerBackend("tensorflow", () => tf.findBackendFactory("cpu")(), 3);
  tf.setBackend("tensorflow");
`;

const common = `
  const fs = require("node:fs"), path = require("node:path");
  const args = process.argv.slice(2);
  const note = (text) => fs.appendFileSync(process.env.NOTES, text + "\\n");
  const put = (file, text) => { fs.mkdirSync(path.dirname(file), { recursive: true }); fs.writeFileSync(file, text); };
  const hang = (stage) => { if (process.env.HANG === stage) { note("hanging"); setTimeout(() => {}, 60000); return true; } };
`;

const programs: Record<string, string> = {
  python3: `${common}
    if (args.includes("index") && process.env.OFFLINE) { console.error("ERROR: no such host"); process.exit(1); }
    if (args.includes("install")) {
      note("pip install");
      const target = args[args.indexOf("--target") + 1], folder = target + "/tensorflow/";
      for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]) put(folder + name, "");
      if (!hang("pip")) {
        put(folder + "include/tensorflow/c/c_api.h", "");
        put(target + "/tensorflow_cpu-2.21.0.dist-info/METADATA", "");
      }
    }`,
  npm: `${common}
    if (args[0] === "view" && process.env.OFFLINE) { console.error("npm error code ENOTFOUND"); process.exit(1); }
    if (args[0] === "install") {
      note("npm install");
      const folder = "node_modules/@tensorflow/tfjs-node-gpu/";
      put(folder + "package.json", JSON.stringify({ main: "index.js" }));
      put(folder + "index.js", ${JSON.stringify(fakeAddon)});
      put("node_modules/@tensorflow/tfjs/package.json", "{}");
    }
    if (args[1] === "build-addon-from-source") {
      note("build");
      if (process.env.BROKEN) { console.log("tfjs_binding.cc:1: error: no"); process.exit(1); }
      if (!hang("build")) put("lib/napi-v8/tfjs_binding.node", "");
    }`,
};
