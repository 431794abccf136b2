import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { globSync } from "tinyglobby";

/** Builds `dist` where a source is newer: the command tests and the workers run the built program. */
export default function setup(): void {
  // Set while several people work in one checkout and the tree does not build as a whole.
  if (process.env.ASTROCHEM_SKIP_BUILD) return;
  const built = statSync("dist/index.js", { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(...globSync("src/**/*.ts").map((path) => statSync(path).mtimeMs));
  if (newest > built) execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
}
