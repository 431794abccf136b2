import type { NamingOptions } from "../../chemistry/name-reader.ts";
import type { RawColumns } from "../../data/respelt-frame.ts";

/** What a file is compared with: the dataset's part of a configuration, and the length of the emulator's windows. */
export interface InspectionSettings extends RawColumns {
  readonly metadata: readonly string[];
  readonly phys: readonly string[];
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  readonly clipping: { readonly lower: number; readonly upper: number };
  readonly species: readonly string[];
  /** How names of species are read. */
  readonly naming: NamingOptions;
  /** Whether names without a formula may have no atoms: where no loss conserves the elements. */
  readonly allowsNoFormula: boolean;
  readonly columnsToDrop: readonly string[];
  readonly inputKey: string;
  readonly minRadfield: number;
  /** Rows of the windows that an emulator trains on. */
  readonly window: number;
}

/** How to look. */
export interface InspectionOptions {
  readonly settings: InspectionSettings;
  /** Structure only: no values are read. */
  readonly isQuick: boolean;
  /** The frame to look at; without it all of them. */
  readonly key?: string | undefined;
  /** Told how much of the values was read; may throw to end the work. */
  readonly progress: (done: number, total: number) => void;
  /** Runs what computes for long without a turn of the event loop. */
  readonly whileBlocking?: (<T>(action: () => T) => T) | undefined;
}
