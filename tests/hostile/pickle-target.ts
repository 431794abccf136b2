import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { CheckpointError } from "../../src/errors.ts";
import { decodePickledStrings } from "../../src/formats/pickle.ts";
import { decodePth } from "../../src/formats/pytorch.ts";
import { pack } from "../formats/archives.ts";
import { type Mutation, mutateBytes, mutations } from "./mutations.ts";
import { demand, seedBytes, target } from "./target.ts";

const seeds = [
  ...["plain-0", "plain-2", "plain-4", "plain-5", "strings-0", "strings-2", "strings-4", "strings-column"],
  ...["strings-list", "strings-unicode", "strings-numpy2", "strings-hostile"],
].map((name) => seedBytes(`formats/${name}.pkl`));

/** A text as protocol 4 has it. */
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from("X"), length, bytes]);
};
const line = (code: string): Buffer => Buffer.from(code, "latin1");
const global = (module: string, name: string): Buffer => line(`c${module}\n${name}\n`);

/** Calls of what could do harm, each leaving a mark in the working folder where it ran. */
const harm = [
  "os system,posix system,subprocess call,builtins eval,builtins exec,builtins getattr,__main__ __proto__,process exit",
  "constructor constructor,collections OrderedDict.__init__.__globals__,torch load,numpy load,_codecs decode",
]
  .flatMap((list) => list.split(","))
  .map((names) => {
    const [module, name] = names.split(" ");
    return Buffer.concat([global(module!, name!), line("("), text("touch was-run"), line("tR")]);
  });

/** Instructions that make sense where enough lies on the stack: those of one byte, and some with what follows them. */
const instructions = [
  ..."()]}\x8ftladesu\x90\x9101\x32N\x88bR\x81\x92\x93Q.\x85\x86\x87\x94io\x97\x98",
  ..."K\x01 K\0 M\xff\xff J\xff\xff\xff\x7f I9007199254740993\n L1L\n F1e999\n Fnan\n S'a\\x41'\n V\\uffff\n Papath\n".split(
    " ",
  ),
  ..."q\0 q\xff r\xff\xff\xff\x7f p0\n p-1\n p99999999999\n h\0 h\xff j\xff\xff\xff\x7f g0\n g-1\n \x8a\xff".split(" "),
  ..."\x8b\xff\xff\xff\x7f X\xff\xff\xff\xff \x8e\xff\xff\xff\xff\xff\xff\xff\xff \x80\x05 \x80\x09 \x82\x01".split(
    " ",
  ),
  `L${"9".repeat(300)}L\n`,
];
const pieces: readonly Buffer[] = [
  ...instructions.map(line),
  ...["storage", "0", "cpu", "latin1", "O8"].map(text),
  global("numpy.core.multiarray", "_reconstruct"),
  global("numpy", "ndarray"),
  global("numpy", "dtype"),
  global("_codecs", "encode"),
  global("collections", "OrderedDict"),
  global("torch._utils", "_rebuild_tensor_v2"),
  global("torch", "FloatStorage"),
  ...harm,
];

/** The same piece many times: nesting, memo bombs, long lists. */
const repeated = fc
  .tuple(
    fc.constantFrom(..."( ] (] )\x85 2\x86 2( ]2a }( \x942 2e h\0 ]q\0(h\0h\0l (h\0h\0tq\0 }q\0h\0h\0s".split(" ")),
    fc.integer({ min: 2, max: 60_000 }),
  )
  .map(([code, times]) => Buffer.from(code.repeat(times), "latin1"));

const program = fc
  .array(fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...pieces) }, repeated), { minLength: 1, maxLength: 30 })
  .map((parts) => Buffer.concat([...parts, line(".")]));

interface Case {
  readonly seed: number;
  readonly program: Buffer | null;
  readonly bytes: readonly Mutation[];
  readonly splice: number | null;
}

/** Pickles: damaged ones of Python's, and programs of their own; as pandas' names and as PyTorch's weights. */
export const pickleTarget = target<Case>({
  name: "pickle",
  exitCodes: [3, 4],
  cases: fc.record({
    seed: fc.nat({ max: seeds.length - 1 }),
    program: fc.oneof(fc.constant(null), program),
    bytes: fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: mutations }),
    splice: fc.option(fc.nat({ max: harm.length - 1 })),
  }),
  attack({ seed, program: own, bytes, splice }, folder) {
    const whole = mutateBytes(own ?? seeds[seed]!, bytes);
    const pickle = splice === null ? whole : Buffer.concat([whole.subarray(0, 2), harm[splice]!, whole.subarray(2)]);
    try {
      decodePth(pack(new Map([["x/data.pkl", pickle]])), "weights.pth");
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
    }
    try {
      const names = decodePickledStrings(pickle, "frame.h5");
      demand(
        names.every((name) => typeof name === "string"),
        "names that are no texts",
      );
    } finally {
      demand(!existsSync(join(folder, "was-run")) && !existsSync("was-run"), "code of the pickle ran");
    }
  },
});
