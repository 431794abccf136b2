import { isMainThread } from "node:worker_threads";

export type OnnxRuntime = typeof import("onnxruntime-node");

/** ONNX Runtime is an optional dependency: its native library may be absent or not fit the machine. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime | Error> {
  try {
    await stopTelemetry();
    const module = await import("onnxruntime-node");
    return "default" in module ? (module.default as OnnxRuntime) : module;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const noTelemetry = `process.env.ORT_DISABLE_TELEMETRY = "1"`;

/**
 * Since 1.29 ONNX Runtime writes a device id and events to ~/.cache/Microsoft and sends them, unless this variable says otherwise at
 * its first session; there is no call for it. A worker's `process.env` is a copy, which native code does not see: the main thread
 * sets the variable there, and does so even while it waits for the worker.
 */
async function stopTelemetry(): Promise<void> {
  process.env.ORT_DISABLE_TELEMETRY = "1";
  if (isMainThread) return;
  const { Session } = await import("node:inspector");
  const session = new Session();
  session.connectToMainThread();
  await new Promise<void>((resolve, reject) => {
    // The answer alone does not keep a worker alive that has nothing else to wait for.
    const late = setTimeout(() => reject(new Error("the main thread does not stop its telemetry")), 10_000);
    session.post("Runtime.evaluate", { expression: noTelemetry }, (error) => {
      clearTimeout(late);
      if (error) reject(error);
      else resolve();
    });
  }).finally(() => session.disconnect());
}
