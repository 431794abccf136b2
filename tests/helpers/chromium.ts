import { existsSync } from "node:fs";
import { join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"];
const path = (process.env.PATH ?? "").split(":").flatMap((folder) => names.map((name) => join(folder, name)));

/** A browser of this machine; undefined where there is none, which is said. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? path.find((file) => existsSync(file));
if (chromiumPath === undefined) process.stderr.write("skipped: no Chromium on the PATH, nor in CHROMIUM_PATH\n");
