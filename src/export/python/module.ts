import { roundedCharge } from "../../chemistry/conservation.ts";
import { type CheckVectors, checkTolerance } from "../c/check-vectors.ts";
import type { Description } from "../c/description.ts";
import type { PartPort } from "../onnx-parts.ts";
import { checkFunctions } from "./check.ts";
import { type PythonTables, pythonNumber } from "./numpy-emit.ts";
import { runtime } from "./runtime.ts";
import { publicTrust, trustConstants, trustRuntime } from "./trust.ts";

/**
 * `surrogate.py`: the functions of a surrogate, its numbers and a check.
 * @param functions  `_start`, `_step`, `_encode`, `_decode`, `_distance`
 */
export function pythonModule(
  about: Description,
  carried: readonly PartPort[],
  functions: readonly string[],
  tables: PythonTables,
  vectors: CheckVectors,
): string {
  const { name, species, conditions, latents, members, carry, conserved, clipping, stepYears } = about;
  const texts = (values: readonly string[]): string => `(${values.map((each) => `${pythonText(each)},`).join(" ")})`;
  const [S, L, T] = [species.length, latents, conserved.names.length];
  const trusted = trustRuntime(about, tables);
  const check = checkFunctions(about, vectors, tables);
  const bound = (k: 0 | 1): string => conditions.map(({ range }) => `${pythonNumber(range[k])},`).join(" ");
  const cut = sections(carried);
  const memory = carry > 0 ? ", carry" : "";
  return `"""A surrogate of a chemical network, on numpy alone: ${about.provenance[0]}.

    latents = encode(abundances)              # [n, ${S}] -> [n, ${L}]
${carry > 0 ? `    carry = start(latents)                    # [n, ${carry}]: what a trajectory remembers beside its latents\n` : ""}    latents${memory} = step(physical, latents${memory})${carry > 0 ? "" : "       "}  # physical [n, ${conditions.length}]: one time step
    abundances = decode(latents, totals)      # totals (see \`totals\`) are kept; None: as decoded
    evolved = emulate(physical, abundances)   # [n, steps, ${conditions.length}], [n, ${S}] -> [n, steps, ${S}]

Abundances are linear and relative to hydrogen nuclei, conditions in physical units (PARAMETERS, RANGES); float32. Entry t of a
result is the state after the conditions of row t have acted for one step of STEP_YEARS. \`emulate\` keeps the totals of elements and
charge of its start, to 1e-6; \`conserve\` gives totals to any abundances. What is doubtful is warned of, or told as flags of each
cell with \`return_flags=True\`: OUT_OF_RANGE, CLIPPED, NOT_FINITE, NOT_CONSERVED. \`python3 ${name}.py\` checks the file.

${errorsText(about)}

${about.provenance.map((line) => `- ${line}`).join("\n")}
"""
import base64 as _base64
import warnings as _warnings

import numpy as _np

SPECIES = ${texts(species)}
PARAMETERS = ${texts(conditions.map((each) => each.name))}
# Outside of them a condition is flagged.
RANGES = tuple(zip((${bound(0)}), (${bound(1)})))
# Emulators that step side by side.
MEMBERS = ${members}
LATENTS = ${L}
CARRY = ${carry}
# Elements, then charge where species are charged.
TOTALS = ${texts(conserved.names)}
STEP_YEARS = ${stepYears ?? "None"}
CLIPPING = (${clipping.lower}, ${clipping.upper})

# Bits of the flags of a cell.
OUT_OF_RANGE = 1  # a condition outside of its range
CLIPPED = 2  # an abundance that was clipped
NOT_FINITE = 4  # an input that is NaN or infinite: what comes out of that cell means nothing
NOT_CONSERVED = 8  # no positive abundances have the totals: the cell is as it was decoded
${trustConstants(about)}

# Cells that are computed at once.
BLOCK = 1024


class SurrogateWarning(UserWarning):
    """Results that are doubtful."""


class NotCalibrated(RuntimeError):
    """The weights tell no expected errors."""


def encode(abundances, return_flags=False):
    """[n, species] -> latents [n, LATENTS]."""
    abundances = _matrix("abundances", abundances, len(SPECIES))
    latents = _blocks(_encode, abundances)
    return _told(latents, _flags_of_abundances(abundances), return_flags)


${
  carry > 0
    ? `def start(latents):
    """What trajectories remember when they start: [n, LATENTS] -> [n, CARRY]."""
    return _blocks(lambda z: _joined(_start(z)), _matrix("latents", latents, LATENTS))


`
    : ""
}def step(physical, latents${memory}, return_flags=False):
    """One step: physical [n, parameters], latents [n, LATENTS]${carry > 0 ? ", carry [n, CARRY]" : ""} -> latents${carry > 0 ? " and carry" : ""} after it."""
    physical = _matrix("physical", physical, len(PARAMETERS))
    latents = _matrix("latents", latents, LATENTS, len(physical))
    flags = _flags_of_physical(physical) | _not_finite(latents)
${
  carry > 0
    ? `    carry = _matrix("carry", carry, CARRY, len(physical))
    both = _blocks(lambda x, z, c: _joined(_step(x, z, ${cut("c")})), physical, latents, carry)
    moved, carry = both[:, :LATENTS], both[:, LATENTS:]
    return _told((moved, carry), flags, return_flags)`
    : `    return _told(_blocks(_step, physical, latents), flags, return_flags)`
}


def decode(latents, totals=None, return_flags=False, return_spread=False):
    """[n, LATENTS] -> [n, species], with the totals [n, TOTALS] where they are given; of an ensemble also the spread of its members, dex, [n]."""
    if return_spread:
        _several()
    latents = _matrix("latents", latents, LATENTS)
    flags = _not_finite(latents)
    if totals is not None:
        totals = _matrix("totals", totals, len(TOTALS), len(latents))
        flags |= _not_finite(totals)
    abundances, spread = _decoded(latents)
    if totals is not None:
        correction = _conserve(abundances, totals)
        flags |= _np.where(_np.isinf(correction), NOT_CONSERVED, 0).astype(_np.uint32)
    return _told((abundances, spread) if return_spread else abundances, flags, return_flags)


def totals(abundances):
    """Totals of each element and of the charge: [n, species] -> [n, TOTALS]. A net charge that is rounding is 0."""
    abundances = _matrix("abundances", abundances, len(SPECIES))
    x = _np.clip(abundances, *_np.float32(CLIPPING)).astype(_np.float64)
    sums = x @ _COUNTS
    if "charge" in TOTALS:
        k = TOTALS.index("charge")
        sums[:, k] = _np.where(_np.abs(sums[:, k]) <= ${roundedCharge} * (x @ _np.abs(_COUNTS[:, k])), 0.0, sums[:, k])
    return sums.astype(_np.float32)


def conserve(abundances, totals, return_flags=False):
    """Gives abundances [n, species] the totals [n, TOTALS]: of all positive ones with them, the closest in weighted relative entropy.

    An element with a total of 0 is left alone. Returns them, and the mean change over the species in dex, [n], which is
    infinite where the totals cannot be had.
    """
    abundances = _matrix("abundances", abundances, len(SPECIES)).copy()
    totals = _matrix("totals", totals, len(TOTALS), len(abundances))
    flags = _not_finite(abundances) | _not_finite(totals)
    negative = abundances < 0
    abundances[negative] = CLIPPING[0]
    flags |= _np.where(negative.any(axis=1), CLIPPED, 0).astype(_np.uint32)
    correction = _conserve(abundances, totals)
    flags |= _np.where(_np.isinf(correction), NOT_CONSERVED, 0).astype(_np.uint32)
    return _told((abundances, correction), flags, return_flags)


def emulate(physical, abundances, conserve=True, return_flags=False, return_expected_error=False, return_spread=False):
    """Encodes, steps and decodes: physical [n, steps, parameters], abundances [n, species] of the start -> [n, steps, species].

    With return_expected_error also the error to expect of every state, dex, [n, steps]; the flags then have its reasons at the
    last step. NotCalibrated is raised where TRUST_LEVEL is None. With return_spread, of an ensemble, also the spread of its
    members, dex, [n, steps]. The flags come last.
    """
    if return_spread:
        _several()
    if return_expected_error:
        _calibrated()
    physical = _np.asarray(physical, _np.float32)
    if physical.ndim != 3:
        raise ValueError("physical has shape %s, not [n, steps, %d]" % (list(physical.shape), len(PARAMETERS)))
    n, steps, _ = physical.shape
    _matrix("physical", physical.reshape(n * steps, -1) if physical.size else _np.empty((0, len(PARAMETERS))), len(PARAMETERS))
    abundances = _matrix("abundances", abundances, len(SPECIES), n)
    flags = _flags_of_abundances(abundances)
    for t in range(steps):
        flags |= _flags_of_physical(physical[:, t])
    kept = totals(abundances) if conserve else None
    trust = _trust_of(abundances) if return_expected_error else None
    z = _blocks(_encode, abundances)
${carry > 0 ? "    c = _blocks(lambda at: _joined(_start(at)), z)\n" : ""}    evolved = _np.empty((n, steps, len(SPECIES)), _np.float32)
    been = None if trust is None else _np.empty((n, steps, TRUST), _np.float32)
    spreads = _np.empty((n, steps), _np.float32)
    for t in range(steps):
        if trust is not None:
            _see(trust, physical[:, t], z)
${
  carry > 0
    ? `        both = _blocks(lambda x, at, m: _joined(_step(x, at, ${cut("m")})), physical[:, t], z, c)
        z, c = both[:, :LATENTS], both[:, LATENTS:]`
    : "        z = _blocks(_step, physical[:, t], z)"
}
        states, spread = _decoded(z)
        if conserve:
            correction = _conserve(states, kept)
            flags |= _np.where(_np.isinf(correction), NOT_CONSERVED, 0).astype(_np.uint32)
            if trust is not None:
                _raise(trust, 2, correction)
        if trust is not None:
            _raise(trust, 5, spread)
            been[:, t] = trust
        evolved[:, t], spreads[:, t] = states, spread
    results = [evolved]
    if trust is not None:
        expected, why = _expected(been)
        flags |= _np.bitwise_or.reduce(why, axis=1)
        results.append(expected)
    if return_spread:
        results.append(spreads)
    return _told(tuple(results) if len(results) > 1 else evolved, flags, return_flags)


${publicTrust}


${runtime}


${decoded(members)}


${trusted}


${functions.join("\n\n\n")}


def _counts():
    counts = _np.zeros((len(SPECIES), len(TOTALS)))
${conserved.groups.length > 0 && T > 0 ? `    groups = ${countsText(about)}\n    for rows, terms in groups:\n        for k, count in terms:\n            counts[list(rows), k] = count\n` : ""}    return counts


${check}


_NUMBERS = _np.frombuffer(_base64.b64decode(b"""
${tables.text().trim()}
"""), "<f4")
_COUNTS = _counts()
_PAIRS = (_COUNTS[:, :, None] * _COUNTS[:, None, :]).reshape(len(SPECIES), -1)

if __name__ == "__main__":
    _deviation = check()
    _of_errors = check_expected_errors()
    _is_ok = _deviation <= ${checkTolerance} and _of_errors <= 1.0
    print("%s: the largest deviation is %.1e in scaled units; ${checkTolerance} is allowed" % ("ok" if _is_ok else "FAILED", _deviation))
    if TRUST_LEVEL is None:
        print("not calibrated: no expected errors")
    else:
        print("expected errors: the largest deviation is %.2g of what is allowed" % _of_errors)
    raise SystemExit(0 if _is_ok else 1)
`;
}

/** States, and of an ensemble their spread. */
function decoded(members: number): string {
  if (members === 1) return `def _decoded(latents):\n    return _blocks(_decode, latents), 0.0`;
  return `def _decoded(latents):
    both = _blocks(lambda z: _joined(_decode(z)), latents)
    return _np.ascontiguousarray(both[:, :-1]), both[:, -1]`;
}

/** Of the module's text. */
function errorsText({ trust, members, carry, conserved }: Description): string {
  const ensemble =
    members > 1
      ? `These are ${members} emulators (MEMBERS) side by side: latents hold those of all, one after the other, and states are the mean of their logarithms.
\`return_spread=True\` of \`decode\` and \`emulate\` also tells how far they are from each other, dex.

`
      : "";
  if (trust === null) {
    return `${ensemble}These weights are not calibrated: TRUST_LEVEL is None, and asking what error to expect raises NotCalibrated. The flags say where a
result is not to be trusted, not how good it is elsewhere. \`astrochem calibrate\`, and export again.`;
  }
  const memory = carry > 0 ? ", carry" : "";
  const decoded =
    members > 1
      ? `    states, spread = decode(latents, return_spread=True)
    abundances, correction = conserve(states, totals)
    trust, expected = trust_correct(correction, trust, spread)  # where you decode
`
      : `    abundances, correction = conserve(decode(latents), totals)
    trust, expected = trust_correct(correction, trust)     # where you decode
`;
  return `${ensemble}The error to expect is in dex: ${Number((100 * trust.level).toFixed(1))} % of states like those of the training are off by no more (mean of |log10 x - log10 truth|
over the species above 1e-12). \`emulate(..., return_expected_error=True)\` tells it of every state; programs that step themselves:

    trust = trust_begin(abundances)                        # [n, TRUST]: where a trajectory starts, and where a solver took a cell
    trust, expected = trust_step(physical, latents, trust)  # before each step
    latents${memory} = step(physical, latents${memory})
${conserved.names.length > 0 || members > 1 ? decoded : ""}
Flags tell the reasons: TRUST_CONDITIONS, _DISTANCE, _START, _CORRECTION, ${members > 1 ? "_SPREAD, " : ""}_LENGTH (astrochem's docs/trust.md).`;
}

/** What is remembered, as arguments: slices of one array. */
function sections(carried: readonly PartPort[]): (array: string) => string {
  return (array) => {
    let at = 0;
    return carried
      .map(({ shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const text = `${array}[:, ${at}:${at + size}]`;
        at += size;
        return text;
      })
      .join(", ");
  };
}

/** Species by what they hold: (species, …), ((total, count), …). */
function countsText({ conserved: { groups, starts, terms, powers } }: Description): string {
  const lines = starts.slice(0, -1).flatMap((from, g) => {
    const held = terms.slice(from, starts[g + 1]).map((term) => `(${powers[term]!.total}, ${powers[term]!.count}),`);
    const rows = groups.flatMap((group, s) => (group === g ? [`${s},`] : []));
    return held.length > 0 ? [`        ((${rows.join(" ")}), (${held.join(" ")})),`] : [];
  });
  return `(\n${lines.join("\n")}\n    )`;
}

function pythonText(text: string): string {
  return JSON.stringify(text.replace(/[^\x20-\x7e]/g, "?"));
}
