import fc from "fast-check";
import { mutateText, type TextMutation, textMutations } from "./mutations.ts";
import { target } from "./target.ts";
import { attackConfig } from "./yaml-target.ts";

const seeds = [
  "model.lr=5e-4",
  "dataset=sample",
  "+model.new=1",
  "~model.dropout",
  "++dataset.phys=[Density,Av]",
  "dataset.physical_parameter_ranges={Density: [1,10]}",
  "model@other=autoencoder",
  "working_path='a b'",
  "seed=0",
  "dataset.preprocessing.columns_to_drop=[]",
];

const tokens = [
  ..."= + ~ ++ @ . / [ ] { } ( ) : , ' \" \\ \\' - $ % é \u202e \t \n \0 __proto__ prototype ../../etc/passwd".split(
    " ",
  ),
  ..."constructor.prototype.polluted __proto__.polluted null nan inf 1e999 1_000 ??? $(touch\twas-run)".split(" "),
  // biome-ignore lint/suspicious/noTemplateCurlyInString: interpolations of the configuration.
  ..."choice(1,2) range(1,10) a,b [1,[2,[3]]] {a:\t{b:\t1}} ${ ${seed} ${model} ${oc.env:HOME} ${now:%Y}".split(" "),
  ...["x".repeat(20_000), "a.".repeat(200), "[".repeat(10_000), "{a:".repeat(10_000), "${".repeat(3000)],
  ...["\\".repeat(9999), "[1,".repeat(3000), "'".repeat(99), `[${"1,".repeat(20_000)}1]`, " "],
];

interface Case {
  readonly texts: readonly { readonly seed: number; readonly recipe: readonly TextMutation[] }[];
}

/** Overrides as typed on a command line, or pasted from somewhere. */
export const overrideTarget = target<Case>({
  name: "override",
  exitCodes: [2],
  cases: fc.record({
    texts: fc.array(fc.record({ seed: fc.nat({ max: seeds.length - 1 }), recipe: textMutations(tokens) }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  attack({ texts }) {
    attackConfig(
      texts.map(({ seed, recipe }) => mutateText(seeds[seed]!, recipe, "")),
      [],
    );
  },
});
