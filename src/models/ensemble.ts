import { stepsAtOnce } from "../backend/blocks.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Evolver, Rollout } from "./evolver.ts";
import { Layout } from "./layout.ts";

/**
 * Evolvers of one kind side by side, as one: a rollout steps each through the same conditions, and none sees another. The arrays are
 * called `members.<m>.<name>`, in the order of the members. Latents and carry hold those of each member, one after the other:
 * [batch, members · latent].
 */
export function ensembleOf(member: Evolver, members: number): Evolver {
  const all = [...Array(members).keys()];
  const { layout, carry, last } = member;
  const nameOf = (m: number, name: string): string => `members.${m}.${name}`;
  const arraysOf = (arrays: TensorMap, m: number): TensorMap =>
    Object.fromEntries(layout.specs.map(({ name }) => [name, arrays[nameOf(m, name)]!]));
  /** One for each member. */
  const apart = <T extends tf.Tensor>(x: T): T[] => tf.split(x, members, 1);
  const apartByName = (maps: TensorMap): TensorMap[] => {
    const parts = Object.entries(maps).map(([name, x]) => [name, apart(x)] as const);
    return all.map((m) => Object.fromEntries(parts.map(([name, each]) => [name, each[m]!])));
  };
  const joined = (maps: readonly TensorMap[]): TensorMap =>
    Object.fromEntries(
      carry.map(({ name }) => [
        name,
        tf.concat(
          maps.map((map) => map[name] as tf.Tensor2D),
          1,
        ),
      ]),
    );
  return {
    ...member,
    members,
    // A graph of as many operations as one of them would have.
    stretch: 2 ** Math.floor(Math.log2(Math.max(1, (member.stretch ?? stepsAtOnce) / members))),
    layout: new Layout(all.flatMap((m) => layout.specs.map((spec) => ({ ...spec, name: nameOf(m, spec.name) })))),
    last: { weight: nameOf(0, last.weight), bias: nameOf(0, last.bias) },
    carry: carry.map(({ shape: [width], ...spec }) => ({ ...spec, shape: [members * width!] })),
    begin: (arrays, latents) => joined(apart(latents).map((part, m) => member.begin(arraysOf(arrays, m), part))),
    rollout(arrays, drive, start) {
      const [latents, carries] = [apart(start.latents), apartByName(start.carry)];
      const made = all.map(
        (m): Rollout => member.rollout(arraysOf(arrays, m), drive, { latents: latents[m]!, carry: carries[m]! }),
      );
      return {
        states: tf.concat(
          made.map(({ states }) => states),
          1,
        ),
        carry: joined(made.map((each) => each.carry)),
      };
    },
  };
}
