/** Rows to read into `buffer`, which travels with the request and comes back with the reply. */
export interface ReadRequest {
  readonly start: number;
  readonly count: number;
  /** At least as large as the rows. */
  readonly buffer: ArrayBuffer;
}

/** Requests are answered in their order. */
export type ReadReply = { readonly buffer: ArrayBuffer } | { readonly problem: string };

/** What went wrong, without the place and the remedy that an error of ours adds: the receiver has its own. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!;
}
