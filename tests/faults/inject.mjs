// Loaded into a child with `--import`: makes one of its writes below the current folder fail. `FAULT` says which:
// { at, code, stays } the at-th write (from 1) fails with that error, and all after it where `stays`; { at, code: "VANISH" }
// removes the folder that is written to, "KILL" the process; { } counts only. The count goes to stderr at the end.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, resolve, sep } from "node:path";

const fault = JSON.parse(process.env.FAULT ?? "{}");
const root = process.cwd();
const paths = new Map();
let count = 0;

function isOurs(path) {
  return typeof path === "string" && resolve(root, path).startsWith(root + sep);
}

function meet(operation, path) {
  count += 1;
  const isHit = fault.at !== undefined && (fault.stays ? count >= fault.at : count === fault.at);
  if (!isHit) return;
  if (fault.code === "VANISH") {
    const folder = dirname(resolve(root, path));
    if (folder !== root) original.rmSync(folder, { recursive: true, force: true });
    return;
  }
  if (fault.code === "KILL") process.kill(process.pid, "SIGKILL");
  const message = `${fault.code}: made to fail, ${operation} '${path}'`;
  throw Object.assign(new Error(message), { code: fault.code, errno: -1, syscall: operation, path });
}

const original = { ...fs };
const isForWriting = (flags) => (typeof flags === "number" ? (flags & 3) !== 0 : /[wa+]/.test(flags ?? "r"));

fs.openSync = (path, flags, ...rest) => {
  const counts = isOurs(path) && isForWriting(flags);
  if (counts) meet("open", path);
  const descriptor = original.openSync(path, flags, ...rest);
  if (counts) paths.set(descriptor, path);
  else paths.delete(descriptor);
  return descriptor;
};
for (const name of ["writeSync", "fsyncSync"]) {
  fs[name] = (descriptor, ...rest) => {
    if (paths.has(descriptor)) meet(name.slice(0, -4), paths.get(descriptor));
    return original[name](descriptor, ...rest);
  };
}
fs.closeSync = (descriptor) => {
  paths.delete(descriptor);
  return original.closeSync(descriptor);
};
for (const [name, which] of [
  ["mkdirSync", 0],
  ["renameSync", 1],
  ["linkSync", 1],
  ["writeFileSync", 0],
]) {
  fs[name] = (...args) => {
    if (isOurs(args[which])) meet(name.slice(0, -4), args[which]);
    return original[name](...args);
  };
}
syncBuiltinESMExports();
process.on("exit", () => original.writeSync(2, `\nwrites: ${count}\n`));
