import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../commands/buffers.ts";

/** Whether a program is there and ends well. @param args  what it is asked for, by default its version */
export function hasProgram(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args.length > 0 ? args : ["--version"], { stdio: "ignore" }).status === 0;
}

/** Programs of other programs' names, by the text of each, in a folder that is all of the PATH. */
export function fakePrograms(programs: Readonly<Record<string, string>>): { PATH: string } {
  const folder = temporaryFolder();
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/bash\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return { PATH: folder };
}

/** An squeue of these lines, each behind the name that it is asked for, and of another's job. */
export function namedQueue(...lines: readonly string[]): string {
  return [
    'for word; do case "$word" in --name=*) names=$' + "{word#--name=};; esac; done",
    "first=$" + "{names%%,*}; name=$" + "{first%-0}",
    ...lines.map((line) => `echo "$name${line}"`),
    'echo "other-0 9 RUNNING"',
  ].join("\n");
}
