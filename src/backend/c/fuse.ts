import type { Buffer, LoopOp, Operand, Statement } from "./statements.ts";

/** The operands of a statement. */
function operandsOf(statement: Statement): readonly Operand[] {
  switch (statement.kind) {
    case "loop":
      return statement.ops.flatMap(({ args }) => args);
    case "copy":
      return statement.parts.map(({ from }) => from);
    case "dense":
      return statement.add ? [statement.x, statement.add] : [statement.x];
    case "product":
      return [statement.a, statement.b];
    case "reduce":
      return [statement.x];
  }
}

/** The buffers that a statement reads, without those that live in its own loop. */
export function readBy(statement: Statement): Set<Buffer> {
  const read = new Set(operandsOf(statement).flatMap((each) => ("buffer" in each ? [each.buffer] : [])));
  if (statement.kind === "loop") for (const { target } of statement.ops) read.delete(target);
  return read;
}

/** Loops whose result one other loop alone wants, entry by entry, become a part of it: their numbers stay in registers. */
export function fused(statements: readonly Statement[]): Statement[] {
  const list: (Statement | null)[] = [...statements];
  const makers = new Map(statements.map((statement, index) => [statement.target, index]));
  for (let index = list.length - 1; index >= 0; index--) {
    for (;;) {
      const statement = list[index];
      if (statement?.kind !== "loop") break;
      const found = [...readBy(statement)].find((buffer) => {
        const maker = list[makers.get(buffer) ?? -1];
        if (maker?.kind !== "loop" || buffer.parameter !== undefined || buffer.size !== statement.target.size)
          return false;
        const uses = operandsOf(statement).filter((each) => "buffer" in each && each.buffer === buffer);
        if (!uses.every((each) => each.kind === "each" && each.offset === 0)) return false;
        return list.every((other) => !other || other === statement || !readBy(other).has(buffer));
      });
      if (!found) break;
      const at = makers.get(found)!;
      const ops: LoopOp[] = [...(list[at] as Statement & { kind: "loop" }).ops, ...statement.ops];
      list[index] = { ...statement, ops };
      list[at] = null;
    }
  }
  return list.filter((statement) => statement !== null);
}

/** Where each buffer of the workspace lies, in entries: those that do not live at the same time share a place. */
export function placed(statements: readonly Statement[]): { offsets: Map<Buffer, number>; size: number } {
  const last = new Map<Buffer, number>();
  for (const [index, statement] of statements.entries()) {
    for (const buffer of readBy(statement)) last.set(buffer, index);
  }
  const offsets = new Map<Buffer, number>();
  let live: { buffer: Buffer; offset: number }[] = [];
  let size = 0;
  for (const [index, { target }] of statements.entries()) {
    // What this statement reads must not be where it writes.
    live = live.filter(({ buffer }) => (last.get(buffer) ?? -1) >= index);
    if (target.parameter !== undefined) continue;
    let offset = 0;
    for (const each of live.toSorted((a, b) => a.offset - b.offset)) {
      if (each.offset - offset >= target.size) break;
      offset = Math.max(offset, each.offset + each.buffer.size);
    }
    offsets.set(target, offset);
    live.push({ buffer: target, offset });
    size = Math.max(size, offset + target.size);
  }
  return { offsets, size };
}
