import { parentPort, workerData } from "node:worker_threads";
import { openHdf5 } from "./hdf5.ts";
import { firstLine, type ReadReply, type ReadRequest } from "./read-messages.ts";

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
    reply = { problem: firstLine(error) };
  }
  port.postMessage(reply, "buffer" in reply ? [buffer] : []);
});
