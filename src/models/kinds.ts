import type { AstrochemError, ErrorHint } from "../errors.ts";

/** The entry of a registry. @throws where there is none of that name */
export function kindNamed<T>(
  registry: Readonly<Record<string, T>>,
  name: string,
  what: string,
  Failure: new (message: string, hint: ErrorHint) => AstrochemError,
  where?: string,
): T {
  if (Object.hasOwn(registry, name)) return registry[name]!;
  throw new Failure(`this version of astrochem knows no model \`${name}\` for ${what}`, {
    where,
    fix: `one of ${Object.keys(registry).join(", ")}; a later version may know more`,
  });
}
