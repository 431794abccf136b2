/** The splits of a clean file, by their keys. `test` is there only where `preprocess` was asked for it. */
export const splitNames = ["train", "val", "test"] as const;
export type SplitName = (typeof splitNames)[number];

/** What people call the tracers of a split. */
export const splitWords: Readonly<Record<SplitName, string>> = { train: "training", val: "validation", test: "test" };
