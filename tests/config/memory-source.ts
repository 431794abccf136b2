import { type ConfigSource, configFile } from "../../src/config/search-path.ts";

/** Configuration files from memory: name (`models/emulator`) → text. */
export function memorySource(files: Readonly<Record<string, string>>): ConfigSource {
  return {
    places: ["memory"],
    load: (name) => (Object.hasOwn(files, name) ? configFile(name, files[name]!, `${name}.yaml`) : undefined),
    options: (group) =>
      Object.keys(files)
        .filter((name) => name.split("/").slice(0, -1).join("/") === group)
        .map((name) => name.split("/").at(-1)!)
        .sort(),
  };
}
