import { writeFileSync } from "node:fs";
import type { Layout } from "../../src/models/layout.ts";
import { pack } from "../formats/archives.ts";

/** Opcodes of pickle's protocol 2, as far as a state_dict needs them. */
const global = (module: string, name: string): string => `c${module}\n${name}\n`;
const integer = (value: number): Buffer => {
  const bytes = Buffer.alloc(5, "J");
  bytes.writeInt32LE(value, 1);
  return bytes;
};
const text = (value: string): Buffer => {
  const length = Buffer.alloc(5, "X");
  length.writeUInt32LE(Buffer.byteLength(value), 1);
  return Buffer.concat([length, Buffer.from(value)]);
};
const tuple = (...items: readonly (Buffer | string)[]): Buffer => join("(", ...items, "t");

function join(...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
}

function tensor(key: number, shape: readonly number[]): Buffer {
  const count = shape.reduce((a, b) => a * b, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const storage = tuple(text("storage"), global("torch", "FloatStorage"), text(`${key}`), text("cpu"), integer(count));
  const hooks = join(global("collections", "OrderedDict"), ")R");
  const args = tuple(
    join(storage, "Q"),
    integer(0),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
    "\x89",
    hooks,
  );
  return join(global("torch._utils", "_rebuild_tensor_v2"), args, "R");
}

/** Writes a `.pth` file as `torch.save(model.state_dict(), path)` does. */
export function writePth(path: string, parts: readonly (readonly [Layout, Float32Array])[]): void {
  const files = new Map<string, Uint8Array>();
  const entries: Buffer[] = [];
  for (const [layout, vector] of parts) {
    for (const { name, shape } of layout.specs) {
      const data = layout.view(vector, name).slice();
      entries.push(text(name), tensor(entries.length / 2, shape));
      files.set(`model/data/${files.size}`, new Uint8Array(data.buffer));
    }
  }
  const pickle = join("\x80\x02}(", ...entries, "u.");
  writeFileSync(path, pack(new Map([["model/data.pkl", pickle], ...files, ["model/version", Buffer.from("3\n")]])));
}
