import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** What a native TensorFlow computes on. */
export type NativeKind = "cpu" | "cuda";
export const nativeKinds: readonly NativeKind[] = ["cpu", "cuda"];

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder that native backends are installed below: the user's cache, because all of it can be made again. A prefix of the
 * user's own has to be in `ASTROCHEM_CACHE` when something is to run on it.
 */
export function cacheFolder(env: Environment, prefix?: string): string {
  if (prefix !== undefined) return resolve(prefix);
  if (env.ASTROCHEM_CACHE) return resolve(env.ASTROCHEM_CACHE);
  // The XDG specification has relative paths ignored.
  const base = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : null;
  return join(base ?? join(env.HOME || home(), ".cache"), "astrochem");
}

/** A container's user may have none: then nothing is installed, and `install` says what cannot be made. */
function home(): string {
  try {
    return homedir();
  } catch {
    return "/nonexistent";
  }
}

/** Where one installation is, with all that belongs to it. */
export interface NativeFolder {
  readonly kind: NativeKind;
  readonly root: string;
  /** A marker per finished stage. */
  readonly stages: string;
  /** What pip, npm and the compiler said. */
  readonly log: string;
  /** TensorFlow as pip unpacked it; absent where an existing one serves. */
  readonly python: string;
  /** The folder that npm installed into. */
  readonly npm: string;
  /** tfjs-node's package below it, with the addon. */
  readonly addon: string;
  /** Beside the root: it has to exist before the root does. */
  readonly lock: string;
}

/** The parts of an installation below `cache`. */
export function nativeFolder(cache: string, kind: NativeKind): NativeFolder {
  const root = join(cache, "native", kind);
  return {
    kind,
    root,
    stages: join(root, "stages"),
    log: join(root, "install.log"),
    python: join(root, "python"),
    npm: join(root, "npm"),
    addon: join(root, "npm", "node_modules", ...addonPackage.split("/")),
    lock: `${root}.lock`,
  };
}

/** One package for both kinds: only the library behind it differs. */
export const addonPackage = "@tensorflow/tfjs-node-gpu";
export const addonVersion = "4.22.0";

/** What a download or an unpacking is called until it has come to its end: with the process that was at it. */
export const leftover = /\.\d+\.part$/;

/** Who holds the lock of a native folder, for the error of the command that finds it taken. */
export const otherCommand = "another astrochem backend command is at work";
