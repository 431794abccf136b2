import { expect, it } from "vitest";
import { reportFailure } from "../../src/commands/failure.ts";
import { Interruption } from "../../src/commands/interruption.ts";
import { CheckpointError, ConfigError, DataError, NumericsError } from "../../src/errors.ts";
import { Buffered } from "./buffers.ts";

function report(error: unknown, debug = false): { code: number; text: string } {
  const stderr = new Buffered();
  const code = reportFailure(error, { stderr, debug, version: "1.2.3" });
  return { code, text: stderr.text };
}

it("tells what, where and how to fix, without a stack trace", () => {
  const error = new DataError("no key `df`", {
    where: "raw.h5",
    fix: "give input_key=… one of: frame",
    cause: new Error("x"),
  });
  expect(report(error)).toMatchInlineSnapshot(`
    {
      "code": 3,
      "text": "error: no key \`df\`
      at   raw.h5
      fix  give input_key=… one of: frame
    ",
    }
  `);
});

it("breaks for a terminal, but for lines of code", () => {
  const stderr = Object.assign(new Buffered(), { columns: 20 });
  const fix = "run astrochem preprocess dataset=sample";
  reportFailure(new DataError("no key of that name is there", { where: "a file: raw.h5", fix }), {
    stderr,
    debug: false,
    version: "1.2.3",
  });
  expect(stderr.text).toBe(`error: no key of\n  that name is there\n  at   a file:\n    raw.h5\n  fix  ${fix}\n`);
});

it("adds the stack and the causes for --debug", () => {
  const { text } = report(new DataError("outer", { cause: new Error("the inner reason") }), true);
  expect(text).toContain("failure.test.ts");
  expect(text).toContain("the inner reason");
});

it.each([
  [new ConfigError("x"), 2],
  [new DataError("x"), 3],
  [new CheckpointError("x"), 4],
  [new NumericsError("x"), 5],
  [new Interruption("SIGINT"), 130],
  [new Interruption("SIGTERM"), 143],
  [new TypeError("x"), 1],
  ["a thrown string", 1],
  [undefined, 1],
])("gives %s its exit code", (error, code) => {
  expect(report(error).code).toBe(code);
});

it("shows the stack of our own bugs and asks for a report", () => {
  const { text } = report(new TypeError("x is not a function"));
  expect(text).toMatch(/^error: TypeError: x is not a function\n {4}at .*failure\.test\.ts/);
  expect(text).toMatch(/this is a bug of astrochem 1\.2\.3: please report it with these lines and what you typed\n$/);
});
