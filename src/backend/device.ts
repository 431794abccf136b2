import { ConfigError } from "../errors.ts";
import { tf } from "./tf.ts";
import { installFastMatMul } from "./wasm-kernels.ts";

/** What a configuration may ask for. */
export type DeviceRequest = "auto" | "cuda" | "cpu" | "wasm";

/** What runs, and why. */
export interface Device {
  readonly name: "wasm";
  readonly reason: string;
}

/**
 * Makes the wanted device ready. Asking for one that cannot run is an error, never a silent fall-back.
 * @throws ConfigError for a device that this installation does not have
 */
export async function chooseDevice(request: DeviceRequest): Promise<Device> {
  if (request === "cuda" || request === "cpu") {
    throw new ConfigError(`device ${request} needs a native TensorFlow, which this version does not have`, {
      fix: "device=wasm (embedded, no installation) or device=auto",
    });
  }
  await startWasm();
  const reason = request === "wasm" ? "asked for" : "embedded in the package, needs nothing native";
  return { name: "wasm", reason };
}

async function startWasm(): Promise<void> {
  if (tf.getBackend() === "wasm") return;
  // Without it tfjs prints a banner and checks every result for NaN on the host.
  tf.enableProdMode();
  await tf.setBackend("wasm");
  installFastMatMul();
}
