import { excessWeights, mostError } from "../../models/trust.ts";
import type { Description } from "../c/description.ts";
import { signalsOf } from "../c/trust.ts";
import type { PythonTables } from "./numpy-emit.ts";

/** Numbers of a trajectory: largest distance, start, largest correction (dex), steps, 1 once conditions were outside, largest spread (dex). */
const trustSize = 6;

/** Bits of flags, and what expected errors are made of. */
export function trustConstants(about: Description): string {
  const { trust } = about;
  const bits = signalsOf(about).map(({ name, bit, tells }) => `TRUST_${name.toUpperCase()} = ${bit}  # ${tells}`);
  const facts = trust && {
    ...{ intercept: trust.intercept, slope: trust.slope, ignorance: trust.ignorance, steps: trust.steps },
    ...{ distance: trust.reference.distance, start: trust.reference.start },
    ...{ correction: trust.reference.correction, spread: trust.reference.spread },
  };
  return `# Of expected errors, from the first step on that exceeds what the calibration saw.
${bits.join("\n")}

# The part of states that are off by no more than expected; None: the weights are not calibrated.
TRUST_LEVEL = ${trust ? trust.level : "None"}
# Numbers of a trajectory that its expected error is made of.
TRUST = ${trustSize}
_TRUST = ${
    facts
      ? `{${Object.entries(facts)
          .map(([key, value]) => `"${key}": ${value ?? "None"}`)
          .join(", ")}}`
      : "None"
  }`;
}

/** The functions for programs that step by themselves. */
export const publicTrust = `def trust_begin(abundances):
    """What trajectories that start from abundances [n, species] have been through: [n, TRUST]. Anew where a solver took a cell."""
    _calibrated()
    return _trust_of(_matrix("abundances", abundances, len(SPECIES)))


def trust_step(physical, latents, trust, return_flags=False):
    """Before each \`step\`, with what it is given: trust and the expected error, dex, [n], of the state after it."""
    _calibrated()
    physical = _matrix("physical", physical, len(PARAMETERS))
    latents = _matrix("latents", latents, LATENTS, len(physical))
    trust = _matrix("trust", trust, TRUST, len(physical)).copy()
    _see(trust, physical, latents)
    error, flags = _expected(trust)
    return (trust, error, flags) if return_flags else (trust, error)


def trust_correct(correction, trust, spread=None, return_flags=False):
    """After \`conserve\` of the decoded state, with its correction [n], of an ensemble its spread [n]: trust and the expected error, dex, [n]."""
    _calibrated()
    correction = _matrix("correction", _np.reshape(correction, (-1, 1)), 1)
    trust = _matrix("trust", trust, TRUST, len(correction)).copy()
    _raise(trust, 2, correction[:, 0])
    if spread is not None:
        _raise(trust, 5, _matrix("spread", _np.reshape(spread, (-1, 1)), 1, len(correction))[:, 0])
    error, flags = _expected(trust)
    return (trust, error, flags) if return_flags else (trust, error)`;

/** What they and \`emulate\` call: the formula of docs/trust.md. */
export function trustRuntime({ conserved, members, totalsOfStarts }: Description, tables: PythonTables): string {
  const elements = conserved.names.filter((name) => name !== "charge").length;
  const starts = elements > 0 && totalsOfStarts.length > 0;
  const nearest = starts
    ? `    # Totals not clipped: what is absent counts as 1e-20.
    with _np.errstate(all="ignore"):
        totals = _np.log10(_np.maximum((abundances.astype(_np.float64) @ _COUNTS)[:, :${elements}], 1e-20))
        off = _np.abs(totals[:, None] - ${tables.add(totalsOfStarts, [totalsOfStarts.length / elements, elements])}).max(axis=2).min(axis=1)
    trust[:, 1] = _np.where(_np.isfinite(totals).all(axis=1), off, _np.inf)
`
    : "";
  return `def _calibrated():
    if TRUST_LEVEL is None:
        raise NotCalibrated(
            "these weights are not calibrated: nothing tells what error to expect. Calibrate them "
            "(astrochem calibrate CLEAN_FILE --weights FOLDER), and export again"
        )


def _trust_of(abundances):
    trust = _np.zeros((len(abundances), TRUST), _np.float32)
${nearest}    return trust


def _raise(trust, column, values):
    """What is no number is far from everything."""
    trust[:, column] = _np.maximum(trust[:, column], _np.where(values >= 0, values, _np.inf))


def _see(trust, physical, latents):
    _raise(trust, 0, _blocks(_distance, physical, latents).reshape(-1))
    trust[:, 3] += 1
    trust[:, 4] = _np.maximum(trust[:, 4], _flags_of_physical(physical) != 0)


def _expected(trust):
    """The error to expect in dex, and what it is for as flags: [..., TRUST] -> [...] each."""
    distance, start, correction, steps, outside, spread = _np.moveaxis(trust.astype(_np.float64), -1, 0)
    with _np.errstate(all="ignore"):
        ratio, length = distance / _TRUST["distance"], steps / _TRUST["steps"]
        error = (_TRUST["intercept"] + _TRUST["slope"] * _np.minimum(ratio, 1.0)) * _np.maximum(length, 1.0)
        error += _TRUST["ignorance"] * _np.maximum(ratio - 1.0, 0.0)
        why = [(outside > 0, TRUST_CONDITIONS), (ratio > 1, TRUST_DISTANCE), (length > 1, TRUST_LENGTH)]
        for values, reference, weight, bit in (
            (start, _TRUST["start"], ${excessWeights.start}, TRUST_START),
            (correction, _TRUST["correction"], ${excessWeights.correction}, TRUST_CORRECTION),${members > 1 ? `\n            (spread, _TRUST["spread"], ${excessWeights.spread}, TRUST_SPREAD),` : ""}
        ):
            if reference is not None:
                error += weight * _np.maximum(values - reference, 0.0)
                why.append((values > reference, bit))
        error = _np.where(error < ${mostError}, error, ${mostError})
    flags = sum(_np.where(holds, bit, 0) for holds, bit in why)
    return error.astype(_np.float32), flags.astype(_np.uint32)`;
}
