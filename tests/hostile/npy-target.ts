import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { readNpy } from "../../src/formats/npy.ts";
import { type Mutation, mutateBytes, mutateText, mutations, type TextMutation, textMutations } from "./mutations.ts";
import { demand, seedBytes, target } from "./target.ts";

const seeds = [
  ...["grid-f8", "grid-f8-big", "grid-f4-fortran", "cube-i2-fortran-big", "scalar-f8", "empty-f4", "row-i8", "row-b1"],
  ...["version-2", "version-3", "objects", "records", "half"],
].map((name) => seedBytes(`formats/${name}.npy`));

const tokens = [
  ...["{", "}", "(", ")", ",", ":", "'", '"', "True", "False", "None", "L", "-1", "0", "1e9", "4294967296"],
  ...["9007199254740993", "(4294967296, 4294967296)", "(1, 0, 9007199254740991)", "'<f4'", "'|O'", "'<U1000000000'"],
  ...["'shape': (1,)", "'__proto__': (1,)", "[('a', '<f4')]", "__import__('os').system('true')", "\\", "\n", "\0"],
  `(${"1, ".repeat(70)})`,
  "(".repeat(5000),
];

interface Case {
  readonly seed: number;
  readonly bytes: readonly Mutation[];
  readonly header: readonly TextMutation[];
}

/** NumPy arrays: bytes, and the header's text with its length made right again. */
export const npyTarget = target<Case>({
  name: "npy",
  exitCodes: [3],
  cases: fc.record({
    seed: fc.nat({ max: seeds.length - 1 }),
    bytes: fc.oneof(fc.constant([]), mutations),
    header: fc.oneof(fc.constant([]), textMutations(tokens)),
  }),
  attack({ seed, bytes, header }, folder) {
    const path = join(folder, "array.npy");
    writeFileSync(path, mutateBytes(withHeader(seeds[seed]!, header), bytes));
    const { shape, data } = readNpy(path);
    demand(data.length === shape.reduce((a, b) => a * b, 1), "another number of values than the shape tells");
  },
});

function withHeader(file: Buffer, recipe: readonly TextMutation[]): Buffer {
  const wide = file[6]! > 1;
  const start = wide ? 12 : 10;
  const length = wide ? file.readUInt32LE(8) : file.readUInt16LE(8);
  const text = Buffer.from(mutateText(file.toString("latin1", start, start + length), recipe, " "), "latin1");
  const head = Buffer.from(file.subarray(0, start));
  if (wide) head.writeUInt32LE(text.length, 8);
  else head.writeUInt16LE(Math.min(0xffff, text.length), 8);
  return Buffer.concat([head, text, file.subarray(start + length)]);
}
