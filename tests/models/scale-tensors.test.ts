import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { AbundanceScaling, LatentScaling, PhysicalScaling, type Scaling } from "../../src/chemistry/scaling.ts";
import { scaledTensor, unscaledTensor } from "../../src/models/scale-tensors.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

/** Two rows of two columns each. */
const scales: readonly [string, Scaling, readonly number[]][] = [
  ["abundances, beyond the clipping too", new AbundanceScaling({ lower: 1e-20, upper: 1 }), [1e-22, 3e-7, 0.2, 2]],
  [
    "physical parameters, outside of narrow ranges too",
    new PhysicalScaling(["a", "b"], { b: [1, 1e4], a: [99, 101] }),
    [100, 30, 102, 0.5],
  ],
  [
    "physical parameters, one of them linear and one with an offset",
    new PhysicalScaling(["a", "b"], { a: [-10, 40], b: [0, 1e4] }, [
      { log: false, offset: 0 },
      { log: true, offset: 0.5 },
    ]),
    [-20, 0, 25, 300],
  ],
  ["latents of one range", new LatentScaling([-1, 3]), [-1, 0, 3, 4]],
  ["latents by component", new LatentScaling({ shift: [1, -2], scale: [0.5, 4] }), [1, 0, -3, 4]],
];

describe.each(scales)("the scale of %s", (_, scale, values) => {
  it("is one on the host and of tensors", () => {
    const host = new Float32Array(values.length);
    scale.scaleInto(values, host);
    const [scaled, back] = withoutLeak(() => {
      const x = scaledTensor(tf.tensor2d([...values], [2, 2]), scale);
      return [[...x.dataSync()], [...unscaledTensor(x, scale).dataSync()]];
    });
    expectClose(scaled!, [...host], { relative: 1e-4, absolute: 1e-6 });
    const given = new Float32Array(values.length);
    scale.unscaleInto(host, given);
    expectClose(back!, [...given], { relative: 1e-5, absolute: 1e-24 });
    const clipped = values.map((x) => (scale.clip ? Math.min(Math.max(x, scale.clip.lower), scale.clip.upper) : x));
    expectClose([...given], clipped, { relative: 1e-5, absolute: 1e-6 });
    expect(host).toHaveLength(4);
  });
});
