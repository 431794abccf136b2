import { parentPort, workerData } from "node:worker_threads";
import { openHdf5 } from "./hdf5.ts";

/** Rows to read into `buffer`, which travels with the request and comes back with the reply. */
export interface ReadRequest {
  readonly start: number;
  readonly count: number;
  readonly buffer: ArrayBuffer;
}

export type ReadReply = { readonly buffer: ArrayBuffer } | { readonly problem: string };

const { path, dataset } = workerData as { path: string; dataset: string };
const port = parentPort!;
const opened = openHdf5(path).then((file) => file.dataset(dataset));
// Told with the first reply.
opened.catch(() => {});

port.on("message", async ({ start, count, buffer }: ReadRequest) => {
  let reply: ReadReply;
  try {
    (await opened).readRows(start, count, new Float32Array(buffer));
    reply = { buffer };
  } catch (error) {
    reply = { problem: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply, "buffer" in reply ? [buffer] : []);
});
