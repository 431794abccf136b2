import { CheckpointError } from "../errors.ts";
import { askedFor, PickledUnknown, unknownFix } from "./pickle-machine.ts";
import type { ZipEntry } from "./zip.ts";

/** Files of PyTorch that hold a program beside the weights: what they are, and the line of Python that saves the weights alone. */
const programs = {
  torchscript: {
    what: "the file is a TorchScript program (torch.jit.save), not a state_dict",
    load: "torch.jit.load(OLD).state_dict()",
  },
  exported: {
    what: "the file is an exported program (torch.export.save, .pt2), not a state_dict",
    load: "torch.export.load(OLD).state_dict",
  },
} as const;

/** @throws CheckpointError where the archive holds a program, by the files that it is made of */
export function refusePrograms(entries: ReadonlyMap<string, ZipEntry>, where: string): void {
  const has = (pattern: RegExp): boolean => [...entries.keys()].some((name) => pattern.test(name));
  const kind = has(/^([^/]*\/)?(archive_format|serialized_exported_program\.json|models\/[^/]*\.json)$/)
    ? programs.exported
    : has(/^[^/]*\/(code\/|constants\.pkl$|bytecode\.pkl$)/)
      ? programs.torchscript
      : undefined;
  if (kind) throw new CheckpointError(kind.what, { where, fix: savedAgain(kind.load, where) });
}

/** What in a file is not an array, told by its kind. @param name  where it stands, "" for the whole file */
export function notTensors(value: unknown, name: string, where: string): CheckpointError {
  const place = name === "" ? "the file" : `\`${name}\` in the file`;
  const inside = name === "" ? "" : `[${JSON.stringify(name)}]`;
  if (value instanceof PickledUnknown) {
    if (!value.attributes.includes("_modules") && !value.attributes.includes("_parameters")) {
      return new CheckpointError(askedFor(value.key), { where, fix: unknownFix });
    }
    const load = `torch.load(OLD, weights_only=False)${inside}.state_dict()`;
    return new CheckpointError(
      `${place} is a whole pickled module (${value.key.replace(" ", ".")}), not a state_dict`,
      {
        where,
        fix: `${savedAgain(load, where)}, where its class can be imported; unpickling runs code: only if you know its writer`,
      },
    );
  }
  const fix = "save the weights alone: torch.save(model.state_dict(), path)";
  const what = name === "" ? "the file does not hold a state_dict" : undefined;
  return new CheckpointError(what ?? `the file holds more than a state_dict: ${name} is not a tensor`, { where, fix });
}

/** A line of Python. @param load  an expression in which OLD stands for the file */
function savedAgain(load: string, where: string): string {
  const old = JSON.stringify(where);
  return `in Python, save the weights alone: torch.save(${load.replace("OLD", () => old)}, "weights.pth")`;
}
