import type { Command } from "./command.ts";

const topLevelExamples = [
  ["astrochem demo", "the whole path on the bundled sample"],
  ["astrochem preprocess dataset=sample", "make the clean dataset of the bundled sample"],
] as const;

/**
 * What stands below the flags in a help text: short override names where the command has some, two examples last.
 * @param command undefined for the help of the program
 */
export function helpSections(command: Command | undefined): string {
  const sections: string[] = [];
  const aliases = Object.entries(command?.config?.aliases ?? {}).map(([short, key]) => [`${short}=…`, `${key}=…`] as const);
  if (aliases.length > 0) sections.push(section("Short overrides:", aliases));
  sections.push(section("Examples:", command?.examples ?? topLevelExamples));
  return sections.join("\n\n");
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return [title, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join("\n");
}
