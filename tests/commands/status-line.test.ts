import { expect, it } from "vitest";
import { StatusLine } from "../../src/commands/status-line.ts";

function terminal(columns: number | undefined) {
  const written: string[] = [];
  const stream = {
    write: (text: string) => written.push(text),
    ...(columns === undefined ? {} : { isTTY: true, columns }),
  };
  return { written, line: new StatusLine(stream, () => 0) };
}

const erase = "\r\x1b[2K";

it("lets log lines pass above it", () => {
  const { written, line } = terminal(80);
  line.show("working");
  line.log.write("a log line\n");
  expect(written).toEqual([`${erase}working`, erase, "a log line\n", `${erase}working`]);
});

it("writes log lines alone while it shows nothing", () => {
  const { written, line } = terminal(80);
  line.log.write("a log line\n");
  line.show("working");
  line.clear();
  line.log.write("another\n");
  expect(written).toEqual(["a log line\n", `${erase}working`, erase, "another\n"]);
});

it("shows nothing where there is no terminal, and makes no text", () => {
  const { written, line } = terminal(undefined);
  line.show("working");
  line.update(() => {
    throw new Error("made");
  });
  line.clear();
  line.log.write("a log line\n");
  expect(written).toEqual(["a log line\n"]);
});

it("keeps off the last columns, where terminals wrap", () => {
  expect(terminal(80).line.width).toBe(77);
  expect(terminal(0).line.width).toBe(77);
});
