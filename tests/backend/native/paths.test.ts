import { expect, it, vi } from "vitest";
import { cacheFolder } from "../../../src/backend/native/paths.ts";

vi.mock("node:os", async (original) => ({
  ...(await original<typeof import("node:os")>()),
  homedir: () => {
    throw new Error("uv_os_homedir returned ENOENT");
  },
}));

it("the cache of a user without a home is a folder that is not there, no error", () => {
  expect(cacheFolder({})).toBe("/nonexistent/.cache/astrochem");
  expect(cacheFolder({ HOME: "/home/x" })).toBe("/home/x/.cache/astrochem");
  expect(cacheFolder({ XDG_CACHE_HOME: "/cache" })).toBe("/cache/astrochem");
});
