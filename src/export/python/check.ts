import type { CheckVectors, TrustVectors } from "../c/check-vectors.ts";
import type { Description } from "../c/description.ts";
import { trustBit } from "../c/trust.ts";
import type { PythonTables } from "./numpy-emit.ts";

/** `check` and `check_expected_errors`, which compute the vectors again. */
export function checkFunctions(about: Description, vectors: CheckVectors, tables: PythonTables): string {
  const { species, conditions, latents, carry, conserved } = about;
  const [S, L, T] = [species.length, latents, conserved.names.length];
  const { cells, steps } = vectors;
  const stored = (values: ArrayLike<number>, ...shape: number[]): string => tables.add(values, shape);
  const memory = carry > 0 ? ", carry" : "";
  return `def check():
    """Compares with results of the program that wrote this file: returns the largest deviation in scaled units."""
    physical = ${stored(vectors.physical, cells, steps, conditions.length)}
    abundances = ${stored(vectors.abundances, cells, S)}
    span = ${Number(vectors.span_dex)}
    shift, scale = _np.array(${JSON.stringify(vectors.shift)}), _np.array(${JSON.stringify(vectors.scale)})
    worst = [0.0]

    def compare(found, expected, far=0.0):
        deviation = _np.abs(found - expected) / _np.maximum(1.0, _np.maximum(_np.abs(expected), far))
        worst[0] = float(_np.maximum(worst[0], deviation.max())) if _np.isfinite(deviation).all() else _np.inf

    def scaled(z):
        return (z.astype(_np.float64) - shift) / scale

    def dex(x):
        return _np.log10(x.astype(_np.float64)) / span

    with _warnings.catch_warnings():
        _warnings.simplefilter("ignore", SurrogateWarning)
        z = ${stored(vectors.latents, cells, L)}
        compare(scaled(encode(abundances)), scaled(z), _np.abs(shift / scale))
        compare(dex(decode(z)), dex(${stored(vectors.decoded, cells, S)}))
${carry > 0 ? "        carry = start(z)\n" : ""}        stepped = ${stored(vectors.stepped, cells, steps, L)}
        for t in range(${steps}):
            z${memory} = step(physical[:, t], z${memory})
            compare(scaled(z), scaled(stepped[:, t]), _np.abs(shift / scale))
        evolved = ${stored(vectors.evolved, cells, steps, S)}
${
  vectors.spread
    ? `        found, spread = emulate(physical, abundances, conserve=False, return_spread=True)
        compare(spread / span, ${stored(vectors.spread, cells, steps)} / span)`
    : "        found = emulate(physical, abundances, conserve=False)"
}
        compare(dex(found), dex(evolved))
${
  T > 0
    ? `        wanted = ${stored(vectors.totals, cells, T)}
        kept, _ = conserve(${stored(vectors.doubtful, cells, S)}, wanted)
        compare(dex(kept), dex(${stored(vectors.conserved, cells, S)}))
        elements = [k for k, name in enumerate(TOTALS) if name != "charge"]
        if not (_np.abs(totals(kept) / wanted - 1.0)[:, elements] <= 1e-6).all():
            worst[0] = _np.inf
`
    : ""
}    return worst[0]


def check_expected_errors():
    """The same for expected errors: the largest deviation relative to what is allowed, infinite where they have other reasons."""
${vectors.trusted ? trustCheck(about, vectors, vectors.trusted, stored) : "    return 0.0"}`;
}

/** Expected errors of `emulate`, and of a program that steps by itself. */
function trustCheck(
  { species, conditions, members, carry }: Description,
  { cells, steps }: CheckVectors,
  { physical, abundances, expected, allowed, flags, sure }: TrustVectors,
  stored: (values: ArrayLike<number>, ...shape: number[]) => string,
): string {
  const memory = carry > 0 ? ", carry" : "";
  const bits = (values: readonly number[]): string =>
    `_np.array(${JSON.stringify(values.map((each) => each * trustBit))}, _np.uint32)`;
  return `    physical = ${stored(physical, cells, steps, conditions.length)}
    abundances = ${stored(abundances, cells, species.length)}
    expected = ${stored(expected, cells, steps)}
    why, sure = ${bits(flags)}, ${bits(sure)}
    _, errors, flags = emulate(physical, abundances, return_expected_error=True, return_flags=True)
    allowed = ${stored(allowed, cells, steps)}
    deviations, told = [(_np.abs(errors - expected) / allowed).max()], [flags]
    with _warnings.catch_warnings():
        _warnings.simplefilter("ignore", SurrogateWarning)
        kept, z, trust = totals(abundances), encode(abundances), trust_begin(abundances)
${carry > 0 ? "        carry = start(z)\n" : ""}        for t in range(${steps}):
            trust, _ = trust_step(physical[:, t], z, trust)
            z${memory} = step(physical[:, t], z${memory})
${members > 1 ? "            states, spread = decode(z, return_spread=True)" : "            states, spread = decode(z), None"}
            _, correction = conserve(states, kept)
            trust, error, flags = trust_correct(correction, trust, spread, return_flags=True)
            deviations.append((_np.abs(error - expected[:, t]) / allowed[:, t]).max())
    told.append(flags)
    if any(((flags ^ why) & sure).any() for flags in told):
        return _np.inf
    return float(_np.max(deviations))`;
}
