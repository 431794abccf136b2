import { leastWeight, weightedIterations } from "../../chemistry/conservation.ts";

/** What the functions of every `surrogate.py` call: blocks of cells, flags and warnings, conservation, and what numpy lacks. */
export const runtime = `def _matrix(name, values, width, rows=None):
    values = _np.ascontiguousarray(values, _np.float32)
    if values.ndim != 2 or values.shape[1] != width or rows not in (None, len(values)):
        wanted = "n" if rows is None else rows
        raise ValueError("%s has shape %s, not [%s, %d]" % (name, list(values.shape), wanted, width))
    return values


def _blocks(function, *arrays):
    n = len(arrays[0])
    with _np.errstate(all="ignore"):
        made = [function(*(a[i : i + BLOCK] for a in arrays)) for i in range(0, max(n, 1), BLOCK)]
    return made[0] if len(made) == 1 else _np.concatenate(made)


def _joined(arrays):
    arrays = arrays if isinstance(arrays, tuple) else (arrays,)
    return _np.concatenate(arrays, axis=1)


def _several():
    if MEMBERS == 1:
        raise ValueError("one emulator has no spread: export an ensemble (astrochem train-emulator members=4)")


def _not_finite(values):
    return _np.where(_np.isfinite(values).all(axis=1), 0, NOT_FINITE).astype(_np.uint32)


def _flags_of_abundances(x):
    low, high = _np.float32(CLIPPING)
    outside = ((x < low) | (x > high)).any(axis=1)
    return _not_finite(x) | _np.where(outside, CLIPPED, 0).astype(_np.uint32)


def _flags_of_physical(x):
    low, high = _np.array(RANGES, _np.float32).T
    outside = ((x < low) | (x > high)).any(axis=1)
    return _not_finite(x) | _np.where(outside, OUT_OF_RANGE, 0).astype(_np.uint32)


def _told(result, flags, return_flags):
    if return_flags:
        return result + (flags,) if isinstance(result, tuple) else (result, flags)
    for bit, what in (
        (OUT_OF_RANGE, "have a condition outside of the trained range"),
        (CLIPPED, "have an abundance that was clipped"),
        (NOT_FINITE, "have an input that is NaN or infinite"),
        (NOT_CONSERVED, "cannot have their totals, and are as decoded"),
    ):
        count = int(((flags & bit) != 0).sum())
        if count:
            _warnings.warn("%d of %d cells %s" % (count, len(flags), what), SurrogateWarning, stacklevel=3)
    return result


def _conserve(abundances, totals):
    """In place, x exp(w A lambda) by Newton's method; returns the mean change in dex."""
    if not TOTALS:
        return _np.zeros(len(abundances), _np.float32)
    correction = _np.empty(len(abundances), _np.float32)
    with _np.errstate(all="ignore"):
        for i in range(0, len(abundances), BLOCK):
            correction[i : i + BLOCK] = _conserve_block(abundances[i : i + BLOCK], totals[i : i + BLOCK])
    return correction


def _conserve_block(abundances, totals):
    is_charge = _np.array([name == "charge" for name in TOTALS])
    sizes = _np.abs(_COUNTS)
    start = abundances.astype(_np.float64)
    wanted = totals.astype(_np.float64)
    shift = _np.zeros((len(start), len(TOTALS)))
    held = start @ sizes
    asked = (held > 0) & (is_charge | (wanted > 0))
    # A species may move by its share in its totals; from afar, after some iterations, all alike.
    shares = start * (_np.where(asked, 1.0 / held, 0.0) @ sizes.T)
    weights = _np.maximum(shares ** 0.125, ${leastWeight})
    residual = _np.zeros(len(start))
    todo = _np.arange(len(start))
    for iteration in range(50):
        x = start[todo] * _np.exp(weights[todo] * (shift[todo] @ _COUNTS.T))
        missing = _np.where(asked[todo], wanted[todo] - x @ _COUNTS, 0.0)
        residual[todo] = _np.where(asked[todo], _np.abs(missing) / (x @ sizes), 0.0).max(axis=1)
        going = residual[todo] > 1e-8
        todo, x, missing = todo[going], x[going], missing[going]
        if len(todo) == 0 or iteration == 49:
            break
        if iteration == ${weightedIterations}:
            shift[todo], weights[todo] = 0.0, 1.0
            continue
        step = _solve(((x * weights[todo]) @ _PAIRS).reshape(-1, len(TOTALS), len(TOTALS)), missing, asked[todo])
        furthest = _np.abs(weights[todo] * (step @ _COUNTS.T)).max(axis=1)
        shift[todo] += step * _np.minimum(1.0, 2.0 / _np.maximum(furthest, 1e-300))[:, None]
    met = residual <= 1e-6
    powers = weights * (shift @ _COUNTS.T)
    abundances[met] = (start[met] * _np.exp(powers[met])).astype(_np.float32)
    return _np.where(met, _np.abs(powers).mean(axis=1) / _np.log(10.0), _np.inf)


def _solve(m, y, asked):
    """By L D Lt; a pivot of what follows from other totals is left out."""
    n = len(TOTALS)
    size = _np.einsum("cii->ci", m).copy()
    inverse = _np.zeros_like(y)
    for j in range(n):
        good = asked[:, j] & (m[:, j, j] > 1e-9 * size[:, j])
        inverse[:, j] = _np.where(good, 1.0 / _np.where(good, m[:, j, j], 1.0), 0.0)
        below = m[:, j + 1 :, j] * inverse[:, j, None]
        y[:, j + 1 :] -= below * y[:, j, None]
        m[:, j + 1 :, j + 1 :] -= below[:, :, None] * m[:, None, j + 1 :, j]
    for j in reversed(range(n)):
        y[:, j] = inverse[:, j] * (y[:, j] - (m[:, j + 1 :, j] * y[:, j + 1 :]).sum(axis=1))
    return y


def _one(test):
    return test.astype(_np.float32)


def _where(test, a, b):
    return _np.where(test, a, b).astype(_np.float32, copy=False)


def _full(values, cells, width):
    return _np.broadcast_to(_np.asarray(values, _np.float32), (cells, width))


def _erf(x):
    """To 1e-7, absolute."""
    size = _np.abs(x)
    t, s = _np.minimum(size, 4.0), x * x
    far = (_FAR[0] * t + _FAR[1]) * (t * t) + (_FAR[2] * t + _FAR[3])
    for each in _FAR[4:]:
        far = far * t + each
    far = 1.0 - _np.exp(far * t - t)
    near = _NEAR[0]
    for each in _NEAR[1:]:
        near = near * s + each
    return _where(size > 0.927734375, _np.copysign(far, x), near * x + x)


_FAR = [
    float.fromhex(digits)
    for digits in (
        "-0x1.22p-16 0x1.91cfb2p-12 -0x1.fd1438p-9 0x1.8d6342p-6 -0x1.b55cb8p-4 -0x1.450aap-1 -0x1.079d0cp-3".split()
    )
]
_NEAR = [
    float.fromhex(digits)
    for digits in "-0x1.38ep-11 0x1.471a58p-8 -0x1.b691b2p-6 0x1.ce1c44p-4 -0x1.8127p-2 0x1.06eba8p-3".split()
]


def _table(start, *shape):
    return _NUMBERS[start : start + int(_np.prod(shape))].reshape(shape)`;
