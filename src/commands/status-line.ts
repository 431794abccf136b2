import { Writable } from "node:stream";

/** A stream that may be a terminal. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const minimumInterval_ms = 100;
const eraseLine = "\r\x1b[2K";

/**
 * The bottom line of a terminal, redrawn in place at most ten times a second. Log lines written through `log` scroll past above
 * it. On anything but a terminal it shows nothing and passes the logs through.
 */
export class StatusLine {
  readonly #stream: TerminalStream;
  readonly #now: () => number;
  #shown = "";
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** For loggers: what is written here never tears the status line apart. */
  readonly log: Writable;

  /** @param now milliseconds */
  constructor(stream: TerminalStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
    this.log = new Writable({
      decodeStrings: false,
      write: (chunk: string | Uint8Array, _encoding, done) => {
        const shown = this.#shown;
        this.#erase();
        this.#stream.write(chunk.toString());
        this.#draw(shown);
        done();
      },
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Cells to draw in: less than the terminal has, or the cursor, and the ^C that a terminal echoes, would wrap. */
  get width(): number {
    return Math.max(20, (this.#stream.columns || 80) - 3);
  }

  /** Redraws, unless that was done a moment ago. The text is only made where it is drawn. */
  update(render: () => string): void {
    if (!this.isTerminal || this.#now() - this.#drawnAt < minimumInterval_ms) return;
    this.show(render());
  }

  /** Redraws at once. */
  show(text: string): void {
    if (!this.isTerminal) return;
    this.#drawnAt = this.#now();
    this.#draw(text);
  }

  /** Leaves the terminal as if the line had never been. */
  clear(): void {
    this.#erase();
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  #draw(text: string): void {
    if (text === "") return;
    this.#stream.write(`${eraseLine}${text}`);
    this.#shown = text;
  }

  #erase(): void {
    if (this.#shown !== "") this.#stream.write(eraseLine);
    this.#shown = "";
  }
}
