/** `1 tracer`, `1,234 tracers`: a number and what it counts, which is a regular noun in the singular. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
