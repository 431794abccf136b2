export type OnnxRuntime = typeof import("onnxruntime-node");

/** ONNX Runtime is an optional dependency: its native library may be absent or not fit the machine. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime | Error> {
  try {
    const module = await import("onnxruntime-node");
    return "default" in module ? (module.default as OnnxRuntime) : module;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
