import { existsSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { decodePth } from "../../src/formats/pytorch.ts";
import { pack, unpackBytes } from "../formats/archives.ts";
import { type Mutation, mutateBytes, mutations } from "./mutations.ts";
import { demand, seedBytes, target } from "./target.ts";

const seeds = ["plain", "checkpoint", "integers", "views", "bfloat16", "half", "hostile"].map((name) =>
  seedBytes(`formats/${name}.pth`),
);

/** Names that would lead out of a folder, were they unpacked, and names that stand for something else. */
const names = [
  "../../was-run",
  "/tmp/was-run",
  "C:\\was-run",
  "x\0y",
  "__proto__",
  "\u001b]0;x\u0007",
  "<script>",
  "",
  "x".repeat(40_000),
];

interface Case {
  readonly seed: number;
  readonly trick: "none" | "none" | "bytes" | "content" | "name" | "alias" | "bomb" | "folder";
  readonly entry: number;
  readonly name: string;
  readonly deflate: boolean;
  readonly zip64: boolean;
  readonly bytes: readonly Mutation[];
}

/** PyTorch's zip archives: damaged, or packed anew with right checksums around damaged content, bombs and nasty names. */
export const pthTarget = target<Case>({
  name: "pth",
  exitCodes: [4],
  cases: fc.record({
    seed: fc.nat({ max: seeds.length - 1 }),
    trick: fc.constantFrom(...(["bytes", "bytes", "content", "content", "name", "alias", "bomb", "folder"] as const)),
    entry: fc.nat(),
    name: fc.constantFrom(...names),
    deflate: fc.boolean(),
    zip64: fc.boolean(),
    bytes: mutations,
  }),
  attack(one, folder) {
    const bytes = archive(one);
    const tensors = decodePth(bytes, "weights.pth");
    for (const { shape, data } of tensors.values()) {
      demand(data.length === shape.reduce((a, b) => a * b, 1), "another number of values than the shape tells");
    }
    demand(
      !existsSync("/tmp/was-run") && !existsSync(`${folder}/was-run`) && !existsSync("was-run"),
      "a file was unpacked",
    );
  },
});

function archive({ seed, trick, entry, name, deflate, zip64, bytes }: Case): Buffer {
  const whole = seeds[seed]!;
  if (trick === "bytes") return mutateBytes(whole, bytes);
  const files = unpackBytes(whole);
  const chosen = [...files.keys()][entry % files.size]!;
  const content = files.get(chosen)!;
  if (trick === "content") files.set(chosen, mutateBytes(content, bytes));
  if (trick === "name") files.set(`${chosen.split("/")[0]}/data/${name}`, content);
  if (trick === "folder")
    return pack(new Map([...files].map(([key, value]) => [key.replace(/^[^/]*/, name.slice(0, 100)), value])), {
      deflate,
      zip64,
    });
  if (trick === "bomb") return bomb(files, chosen, 1 + (entry % 9));
  const aliases =
    trick === "alias"
      ? new Map([[chosen, Array.from({ length: 500 }, (_, i) => `x/data/${name.slice(0, 50)}${i}`)]])
      : undefined;
  return pack(files, { deflate, zip64, ...(aliases && { aliases }) });
}

/** One entry says that it inflates to megabytes of zeros: and so it does. */
function bomb(files: Map<string, Uint8Array>, chosen: string, megabytes: number): Buffer {
  const zeros = new Uint8Array(megabytes * 2 ** 20);
  files.set(chosen, zeros);
  const packed = pack(files, { deflate: true });
  // The size that the table of contents tells is a lie now and then.
  if (megabytes % 3 === 0) {
    const at = packed.indexOf(deflateRawSync(zeros).subarray(0, 64));
    if (at > 0) packed.writeUInt32LE(0x7fff_ffff, Math.max(0, at - 8 - chosen.length));
  }
  return packed;
}
