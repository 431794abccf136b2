/** The reason of a run's abort signal: the user or the system asked it to end. */
export class Interruption extends Error {
  /** As a shell reports it: 128 + the signal's number. */
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signal}`);
    this.name = "Interruption";
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}
