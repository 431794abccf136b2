/** Batches of one split, epoch by epoch. */
export interface BatchSource<Batch> {
  /** Rows (autoencoder) or windows (emulator) of an epoch. */
  readonly items: number;
  readonly batchSize: number;
  /** Batches of an epoch. */
  readonly batches: number;
  /**
   * In order, the same bits each time. A batch's arrays are the receiver's.
   * @param first  batches to pass over, without loading more than the rest needs
   */
  epoch(epoch: number, first?: number): AsyncIterable<Batch>;
  close(): Promise<void>;
}
