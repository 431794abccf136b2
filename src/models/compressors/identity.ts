import { compressor } from "../compressor.ts";
import { Layout } from "../layout.ts";

/** No compression: the latents are the scaled abundances themselves, and there is nothing to train. */
export const identity = compressor({
  name: "identity",
  widths: {},
  latents: (species) => species,
  build: () => ({
    layouts: { trainable: new Layout([]), statistics: new Layout([]) },
    masks: [],
    initial: () => ({ trainable: new Float32Array(0), statistics: new Float32Array(0) }),
    encode: (_, x) => x,
    decode: (_, z) => z,
  }),
});
