import { existsSync } from "node:fs";
import { loadNative, type NativeBackend } from "./load.ts";
import { cacheFolder, type NativeKind, nativeFolder } from "./paths.ts";
import { type Installation, readInstallation } from "./stages.ts";

/** Why a native backend cannot run here, and what to do. */
export interface Unavailable {
  readonly why: string;
  readonly fix: string;
}

/** The installation of that kind in the user's cache folder, as far as its files tell: nothing is loaded. */
export function installedNative(kind: NativeKind, cache = cacheFolder(process.env)): Installation | Unavailable {
  const installed = readInstallation(nativeFolder(cache, kind));
  const fix = `astrochem backend install ${kind}`;
  if (installed === null) return { why: `no native TensorFlow for ${kind} is installed`, fix };
  if (installed instanceof Error)
    return { why: `the native TensorFlow for ${kind} is of no use: ${installed.message}`, fix };
  return installed;
}

/** Loads the installation of that kind; for `cuda` it has to see a device. */
export async function startNative(
  kind: NativeKind,
  threads?: number | null,
): Promise<(NativeBackend & { readonly version: string }) | Unavailable> {
  const installed = installedNative(kind);
  if ("why" in installed) return installed;
  const { folder, tensorflow } = installed;
  const backend = await loadNative(folder, { threads });
  if (backend instanceof Error) {
    return {
      why: `the native TensorFlow for ${kind} cannot be loaded: ${backend.message}`,
      fix: `astrochem backend remove ${kind}, then astrochem backend install ${kind}`,
    };
  }
  if (kind === "cuda" && !backend.usesGpu) {
    return {
      why: `TensorFlow ${tensorflow.version} sees no CUDA device here`,
      fix: "check `nvidia-smi` and CUDA_VISIBLE_DEVICES, and TensorFlow's own log with TF_CPP_MIN_LOG_LEVEL=0",
    };
  }
  return { ...backend, version: tensorflow.version };
}

/** Whether a driver has announced an NVIDIA device: without one CUDA is not worth the seconds that loading takes. */
export function hasNvidiaDevice(): boolean {
  return ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path));
}
