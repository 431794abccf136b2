import { CheckpointError } from "../errors.ts";

/** The entry of a registry. @throws CheckpointError where there is none of that name */
export function kindNamed<T>(registry: Readonly<Record<string, T>>, name: string, what: string, where?: string): T {
  if (Object.hasOwn(registry, name)) return registry[name]!;
  throw new CheckpointError(`this version of astrochem knows no model \`${name}\` for ${what}`, {
    where,
    fix: `one of ${Object.keys(registry).join(", ")}; a later version may know more`,
  });
}
