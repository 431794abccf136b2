import { printValue } from "./override-values.ts";
import type { Problem } from "./problems.ts";
import { getNode, type MapNode, type Path, removeNode, setNode, toValue } from "./tree.ts";

/** Keys with a second name: the original's files say `parameters`, its code says `phys`; Hydra's users name the run's folder as there. */
const aliases: readonly { readonly alias: Path; readonly key: Path }[] = [
  { alias: ["dataset", "parameters"], key: ["dataset", "phys"] },
  { alias: ["hydra", "run", "dir"], key: ["run_dir"] },
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
    const renamed = setNode(withoutEmpty(removeNode(result, alias), alias.slice(0, -1)), key, node);
    if ("tree" in renamed) result = renamed.tree;
  }
  return result;
}

/** Without the mappings on the way to a key that is gone, where they held nothing else. */
function withoutEmpty(tree: MapNode, path: Path): MapNode {
  const node = getNode(tree, path);
  if (path.length === 0 || node?.kind !== "map" || node.entries.size > 0) return tree;
  return withoutEmpty(removeNode(tree, path), path.slice(0, -1));
}

/** What to do with settings of Hydra itself: `hydra`, `hydra/launcher`. */
export function hydraFix(key: string): string | undefined {
  if (!/^hydra(\/|$)/.test(key)) return undefined;
  return "leave Hydra's own settings out; of them there is the folder of the run alone: run_dir=DIR";
}
