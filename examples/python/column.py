"""A column of cells that an exported surrogate advances, with a solver where the surrogate is not to be trusted.

    astrochem export python --weights weights/grav --output outputs/python
    PYTHONPATH=outputs/python python3 examples/python/column.py 100000 10

With MPI (mpi4py) each rank has its share of the column:

    PYTHONPATH=outputs/python OMP_NUM_THREADS=1 mpirun -n 2 python3 examples/python/column.py 100000 10 --mpi
"""
import sys
import time

import numpy as np
import surrogate

# What a cell is flagged for that the solver is better at, and the expected error from which on it is, dex.
DOUBTFUL = surrogate.OUT_OF_RANGE | surrogate.NOT_FINITE
UNRELIABLE = 0.3


def solve(conditions, abundances):
    """Here stands your solver: [n, parameters], [n, species] over one time step. This one lets nothing happen."""
    return abundances


# Conditions like those of the bundled collapses: at the top of the column, at its end, and at first where it is dark and cold.
COLUMN = {"Density": (1.4e6, 5e6, None), "Radfield": (1e-2, 1e-2, 1e-4), "Av": (25, 500, None), "gasTemp": (35, 43, 13.3)}
# What UCLCHEM starts with: atoms and ions, half of the hydrogen in molecules. Other elements than the training's are expected to be far off.
START = {"H": 0.5, "H2": 0.25, "HE": 0.1, "O": 3.34e-4, "E-": 1.82324e-4, "C+": 1.77e-4, "N": 6.18e-5, "S+": 3.51e-6}
START.update({"MG": 2.256e-6, "SI+": 1.78e-6, "CL+": 3.39e-8, "C": 1e-10})


def conditions_of(first, n, cells, step):
    """Of the last cells 4 % are never cold, which no trained trajectory was, and 1 % are denser than anything trained."""
    place = (np.arange(first, first + n) + 0.5) / cells
    physical = np.empty((n, len(surrogate.PARAMETERS)))
    for k, (name, (lower, upper)) in enumerate(zip(surrogate.PARAMETERS, surrogate.RANGES)):
        middle = np.sqrt(lower * upper) if lower > 0 else (lower + upper) / 2
        top, bottom, at_first = COLUMN.get(name, (middle, middle, None))
        wave = 0.05 * np.sin(6 * place + 0.3 * (step + k)) if name in COLUMN else 0.0
        values = top * (bottom / top) ** place * (1 + wave)
        if step == 0 and at_first is not None:
            values = np.where(place < 0.95, at_first, values)
        physical[:, k] = np.clip(values, lower, upper)
    physical[place > 0.99, 0] = 10 * surrogate.RANGES[0][1]
    return physical.astype(np.float32)


def start_of(cells):
    return np.tile(np.array([START.get(name, 1e-20) for name in surrogate.SPECIES], np.float32), (cells, 1))


def advance(first, n, cells, steps):
    """Cells that lie together: their abundances, how many steps of theirs the solver took, and how many of them for the flags."""
    abundances = start_of(n)
    totals = surrogate.totals(abundances)
    latents, _ = surrogate.encode(abundances, return_flags=True)
    carry = surrogate.start(latents) if surrogate.CARRY else None
    is_calibrated = surrogate.TRUST_LEVEL is not None
    trust = surrogate.trust_begin(abundances) if is_calibrated else None
    solved = flagged = 0
    for step in range(steps):
        physical = conditions_of(first, n, cells, step)
        before = latents
        if is_calibrated:
            trust, expected = surrogate.trust_step(physical, latents, trust)
        if surrogate.CARRY:
            latents, carry, flags = surrogate.step(physical, latents, carry, return_flags=True)
        else:
            latents, flags = surrogate.step(physical, latents, return_flags=True)
        is_flagged = (flags & DOUBTFUL) != 0
        given = is_flagged | (expected > UNRELIABLE) if is_calibrated else is_flagged
        if not given.any():
            continue
        own, _ = surrogate.decode(before[given], totals[given], return_flags=True)
        own = solve(physical[given], own)
        latents = latents.copy()
        latents[given], _ = surrogate.encode(own, return_flags=True)
        if surrogate.CARRY:
            carry = carry.copy()
            carry[given] = surrogate.start(latents[given])
        if is_calibrated:
            trust[given] = surrogate.trust_begin(own)
        solved += int(given.sum())
        flagged += int(is_flagged.sum())
    abundances, _ = surrogate.decode(latents, totals, return_flags=True)
    return abundances, solved, flagged


words = [word for word in sys.argv[1:] if word != "--mpi"]
cells, steps = (int(word) for word in (words + ["100000", "10"][len(words) :])[:2])
rank, ranks, total = 0, 1, lambda value: value
slowest = total
if "--mpi" in sys.argv:
    from mpi4py import MPI

    rank, ranks = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    total, slowest = MPI.COMM_WORLD.allreduce, lambda value: MPI.COMM_WORLD.allreduce(value, MPI.MAX)
first, end = cells * rank // ranks, cells * (rank + 1) // ranks
started = time.perf_counter()
abundances, solved, flagged = advance(first, end - first, cells, steps)
seconds = slowest(time.perf_counter() - started)
solved, flagged = total(solved), total(flagged)
logarithms = total(float(np.log10(np.maximum(abundances, 1e-30).astype(np.float64)).sum()))
if rank == 0:
    known = f"{solved - flagged} expected to be off by more than {UNRELIABLE} dex"
    if surrogate.TRUST_LEVEL is None:
        known = "no errors are known (not calibrated)"
    print(f"{cells} cells, {steps} steps: {cells / seconds:.0f} cells/s (encode, all steps, decode)")
    print(f"{solved} of {cells * steps} steps of cells went to the solver: {flagged} flagged, {known}")
    print(f"mean log10 abundance {logarithms / (cells * len(surrogate.SPECIES)):.10e}")
