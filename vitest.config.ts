import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const shared = {
  environment: "node" as const,
  pool: "forks" as const,
  globalSetup: ["tests/helpers/build.ts"],
  // What the developer has installed must not change what the tests find.
  env: { ASTROCHEM_CACHE: join(tmpdir(), "astrochem-tests-have-no-native-tensorflow") },
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "quick",
          include: ["tests/**/*.test.ts"],
          exclude: ["tests/**/*.slow.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          ...shared,
          name: "slow",
          include: ["tests/**/*.slow.test.ts"],
          testTimeout: 3_600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
