import { spreadAbove } from "../../models/forward-steps.ts";

/** What is computed of each member by itself. */
export const memberParts: ReadonlySet<string> = new Set(["encode", "decode", "distance"]);

/** Where there is one emulator. */
export const oneRuntime = `def _decoded(latents):
    return _blocks(_decode, latents), 0.0
`;

/**
 * Latents are those of all members, one after the other. The mean is taken of log10 abundances; spread and distance are those of
 * `decodeStep` and of `TrustMeter`.
 */
export const ensembleRuntime = `def _encode(abundances):
    return _np.tile(_encode_member(abundances), (1, MEMBERS))


def _decoded(latents):
    both = _blocks(_mean_and_spread, latents)
    return _np.ascontiguousarray(both[:, :-1]), both[:, -1]


def _mean_and_spread(latents):
    each = _decode_member(latents.reshape(-1, LATENTS // MEMBERS))
    logarithms = _np.log10(each.astype(_np.float64)).reshape(-1, MEMBERS, len(SPECIES))
    mean = logarithms.mean(axis=1)
    counts = mean > ${Math.log10(spreadAbove)}.0
    spread = (logarithms.std(axis=1, ddof=1) * counts).sum(axis=1) / _np.maximum(counts.sum(axis=1), 1)
    return _np.concatenate([10.0**mean, spread[:, None]], axis=1).astype(_np.float32)


def _distance(physical, latents):
    each = _distance_member(_np.repeat(physical, MEMBERS, axis=0), latents.reshape(-1, LATENTS // MEMBERS))
    return each.reshape(-1, MEMBERS).max(axis=1)`;
