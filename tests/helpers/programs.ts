import { spawnSync } from "node:child_process";

/** Whether a program is there and ends well. @param args  what it is asked for, by default its version */
export function hasProgram(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args.length > 0 ? args : ["--version"], { stdio: "ignore" }).status === 0;
}
