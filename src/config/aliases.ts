import { printValue } from "./override-values.ts";
import type { Problem } from "./problems.ts";
import { getNode, type MapNode, type Path, removeNode, setNode, toValue } from "./tree.ts";

/** Keys with a second name: the original's files say `parameters`, its code says `phys`. */
const aliases: readonly { readonly alias: Path; readonly key: Path }[] = [
  { alias: ["dataset", "parameters"], key: ["dataset", "phys"] },
];

/** The path by its first name. */
export function canonicalPath(path: Path): Path {
  const found = aliases.find(({ alias }) => alias.every((key, index) => path[index] === key));
  return found ? [...found.key, ...path.slice(found.alias.length)] : path;
}

/** A layer with first names only; both names at once with different values are a problem. */
export function canonicalTree(tree: MapNode, problems: Problem[]): MapNode {
  let result = tree;
  for (const { alias, key } of aliases) {
    const node = getNode(result, alias);
    if (!node) continue;
    const other = getNode(result, key);
    if (other && printValue(toValue(other)) !== printValue(toValue(node))) {
      problems.push({
        what: `\`${alias.join(".")}\` is another name of \`${key.join(".")}\`, and both are given with different values`,
        place: node.place,
        fix: "keep one of the two",
      });
    }
    const renamed = setNode(removeNode(result, alias), key, node);
    if ("tree" in renamed) result = renamed.tree;
  }
  return result;
}
