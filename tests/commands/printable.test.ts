import { expect, it } from "vitest";
import { reportFailure } from "../../src/commands/failure.ts";
import { printable } from "../../src/commands/printable.ts";
import { DataError } from "../../src/errors.ts";
import { Buffered } from "./buffers.ts";

it("shows control characters and leaves everything else", () => {
  expect(printable("\u001b]0;x\u0007 \u009b2J \r \0 \u202e")).toBe(
    String.raw`\u001b]0;x\u0007 \u009b2J \u000d \u0000 \u202e`,
  );
  expect(printable("two\n\tlines, é 𝄞 “”")).toBe("two\n\tlines, é 𝄞 “”");
});

it("keeps a name in a file from steering the terminal", () => {
  const stderr = new Buffered();
  reportFailure(new DataError("no column `\u001b[2J`"), { stderr, debug: false, version: "1" });
  expect(stderr.text).toBe("error: no column `\\u001b[2J`\n");
});
