"""A column of cells that an exported surrogate advances, with a solver where the surrogate is not to be trusted.

    astrochem export python --weights weights/grav --output outputs/python
    PYTHONPATH=outputs/python python examples/python/column.py 100000 10
"""
import sys
import time

import numpy as np
import surrogate


def solve(conditions, abundances):
    """Here stands your solver: [n, parameters], [n, species] over one time step. This one lets nothing happen."""
    return abundances


def conditions_of(cells, step):
    """Each condition rises through its range along the column; the last cells are denser than anything trained."""
    place = (np.arange(cells)[:, None] + 0.5) / cells
    lower, upper = np.array(surrogate.RANGES).T
    inside = np.clip(place + 0.05 * np.sin(6 * place + 0.3 * (step + np.arange(len(lower)))), 0.01, 0.99)
    ratio = upper / np.where(lower > 0, lower, 1.0)
    physical = np.where(lower > 0, lower * np.maximum(ratio, 1e-300) ** inside, lower + (upper - lower) * inside)
    physical[place[:, 0] > 0.99, 0] = 10 * upper[0]
    return physical.astype(np.float32)


def start_of(cells):
    """Molecular hydrogen, the rest in ions and atoms."""
    start = {"H2": 0.5, "HE": 0.1, "O": 3.2e-4, "C+": 1.4e-4, "E-": 1.4e-4, "N": 6.5e-5, "S+": 3.5e-6}
    return np.tile(np.array([start.get(name, 1e-12) for name in surrogate.SPECIES], np.float32), (cells, 1))


cells, steps = (int(word) for word in (sys.argv[1:] + ["100000", "10"][len(sys.argv) - 1 :])[:2])
abundances = start_of(cells)
started = time.perf_counter()
totals = surrogate.totals(abundances)
latents, _ = surrogate.encode(abundances, return_flags=True)
carry = (surrogate.start(latents),) if surrogate.CARRY else ()
solved = 0
for step in range(steps):
    physical = conditions_of(cells, step)
    before = latents
    latents, *carry, flags = surrogate.step(physical, latents, *carry, return_flags=True)
    doubtful = (flags & (surrogate.OUT_OF_RANGE | surrogate.NOT_FINITE)) != 0
    if doubtful.any():
        own, _ = surrogate.decode(before[doubtful], totals[doubtful], return_flags=True)
        latents = latents.copy()
        latents[doubtful], _ = surrogate.encode(solve(physical[doubtful], own), return_flags=True)
        if surrogate.CARRY:
            carry = (carry[0].copy(),)
            carry[0][doubtful] = surrogate.start(latents[doubtful])
        solved += int(doubtful.sum())
abundances, flags = surrogate.decode(latents, totals, return_flags=True)
seconds = time.perf_counter() - started
print(f"{cells} cells, {steps} steps: {cells / seconds:.0f} cells/s (encode, all steps, decode)")
print(f"{solved} of {cells * steps} steps of cells went to the solver")
print(f"mean log10 abundance {np.log10(np.maximum(abundances, 1e-30).astype(np.float64)).mean():.10e}")
