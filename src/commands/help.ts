import type { Command } from "./command.ts";

const topLevelExamples = [
  ["astrochem demo", "the whole path on the bundled sample"],
  ["astrochem preprocess dataset=sample", "its first step alone: the clean dataset"],
] as const;

const overrideForms = [
  ["key=value", "set a key of the configuration: dataset.phys=[Av,gasTemp]"],
  ["+key=value", "add a key; ++key=value adds or sets it"],
  ["~key", "take a key out"],
  ["group=option", "choose a configuration file: dataset=sample"],
] as const;

/**
 * What stands below the flags in a help text: how to override the configuration where there is one, two examples last.
 * @param command undefined for the help of the program
 */
export function helpSections(command: Command | undefined): string {
  const sections: string[] = [];
  const aliases = Object.entries(command?.config?.aliases ?? {}).map(
    ([short, key]) => [`${short}=…`, `${key}=…`] as const,
  );
  if (command?.config)
    sections.push(section("Overrides (in quotes where the shell would read them: '~key' 'a=[1,2]'):", overrideForms));
  if (aliases.length > 0) sections.push(section("Short names:", aliases));
  const examples = (command?.examples ?? topLevelExamples).map(([example, effect]) => `  # ${effect}\n  ${example}`);
  sections.push(["Examples:", ...examples].join("\n"));
  return sections.join("\n\n");
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return [title, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join("\n");
}
