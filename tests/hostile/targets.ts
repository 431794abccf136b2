import type { Target } from "./target.ts";

/** All that reads what others wrote. Each is loaded alone: a process that attacks one has no use for the rest. */
export const targets = {
  safetensors: async () => (await import("./safetensors-target.ts")).safetensorsTarget,
  npy: async () => (await import("./npy-target.ts")).npyTarget,
  pickle: async () => (await import("./pickle-target.ts")).pickleTarget,
  pth: async () => (await import("./pth-target.ts")).pthTarget,
  hdf5: async () => (await import("./hdf5-target.ts")).hdf5Target,
  frame: async () => (await import("./frame-target.ts")).frameTarget,
  yaml: async () => (await import("./yaml-target.ts")).yamlTarget,
  override: async () => (await import("./override-target.ts")).overrideTarget,
} satisfies Record<string, () => Promise<Target>>;

export type TargetName = keyof typeof targets;
