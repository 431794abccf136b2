/** What a configuration may ask for; keys as there. */
export interface ComputeRequest {
  readonly device?: "auto" | "cuda" | "webgpu" | "cpu" | "wasm" | undefined;
  readonly engine?: "auto" | "compiled" | "native-c" | "eager" | undefined;
  /** Threads of the compiled engine and of native TensorFlow; null or absent: as many as the cores and the job allow. */
  readonly threads?: number | null | undefined;
}

/** What computes, and why, and why with so many threads: for the log and `environment.json`. */
export interface ComputeChoice {
  readonly device: "cuda" | "webgpu" | "cpu" | "wasm";
  readonly engine: "compiled" | "native-c" | "eager";
  readonly threads: number;
  readonly reason: string;
}
