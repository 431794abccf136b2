import type { ElementTable } from "./element-table.ts";

/** Totals are met when no residual is larger, relative to what holds the element. */
const tolerance = 1e-10;
const mostIterations = 100;
/** From larger residuals Newton's method takes long: totals are met one by one first, so many times. */
const [near, sweeps] = [0.5, 4];
/** The largest change of an abundance in one iteration, as a power of e. */
const largestStep = 2;
/** The net charge that counts as none, relative to all charges: what float32 leaves of a neutral state. */
export const roundedCharge = 1e-6;
/** The least normal float32. */
const leastNormal = 2 ** -126;
/** A weight is the eighth root of a species' share: so many square roots, one in the other. None is smaller than the other number. */
export const [shareRoots, leastWeight] = [3, 0.2];
/** Iterations with weights. States that need more are far off: there those of a small weight would drive the others out of all bounds. */
export const weightedIterations = 8;
/** What a pivot of the scaled matrix may fall to before its constraint counts as one of the others. */
const dependent = 1e-13;

/** What a projection did to a state. */
export interface Correction {
  /** The mean over species of |change of log10 x|. */
  mean_dex: number;
  /** The largest residual that is left, relative. */
  residual: number;
  /** Constraints that could not be asked for: nothing holds the element, or its total is 0. */
  absent: number;
}

/**
 * Exact conservation: the abundances closest in weighted relative entropy that have given totals of every element and of the charge,
 * x' = x · exp(w A λ) with Aᵀ x' = b, in float64, by Newton's method. They stay positive. The weight w of a species grows with its
 * share in what it is made of: trace species cannot be what is wrong with a total. From afar all weights are 1, and totals are met one by one
 * first. See docs/trust.md.
 */
export class Conservation {
  /** The elements of some species, then `charge` where some are charged: the columns of the totals. */
  readonly names: readonly string[];
  /** How many. */
  readonly species: number;
  // Counts by species, row after row: the columns of species s are in `#columns` from `#starts[s]` to `#starts[s + 1]`.
  readonly #starts: Int32Array;
  readonly #columns: Int32Array;
  readonly #counts: Float64Array;
  readonly #state: Float64Array;
  readonly #weights: Float64Array;
  readonly #totals: Float64Array;
  readonly #holders: Float64Array;
  readonly #step: Float64Array;
  readonly #isAsked: Uint8Array;
  readonly #matrix: Float64Array;
  readonly #row: Float64Array;
  readonly #moves: Float64Array;
  /** Of each total: what it is made of. */
  readonly #holding: readonly { readonly species: number[]; readonly counts: number[] }[];

  constructor({ elements, atoms, charges }: Pick<ElementTable, "elements" | "atoms" | "charges">) {
    const held = [...elements.keys()].filter((e) => atoms.some((row) => row[e] !== 0));
    const isCharged = charges.some((charge) => charge !== 0);
    this.names = [...held.map((e) => elements[e]!), ...(isCharged ? ["charge"] : [])];
    this.species = atoms.length;
    const [starts, columns, counts] = [[0], [] as number[], [] as number[]];
    this.#holding = this.names.map(() => ({ species: [], counts: [] }));
    for (const [s, row] of atoms.entries()) {
      for (const [k, count] of [...held.map((e) => row[e]!), ...(isCharged ? [charges[s]!] : [])].entries()) {
        if (count === 0) continue;
        columns.push(k);
        counts.push(count);
        this.#holding[k]!.species.push(s);
        this.#holding[k]!.counts.push(count);
      }
      starts.push(columns.length);
    }
    [this.#starts, this.#columns, this.#counts] = [
      Int32Array.from(starts),
      Int32Array.from(columns),
      Float64Array.from(counts),
    ];
    const n = this.names.length;
    this.#state = new Float64Array(this.species);
    this.#weights = new Float64Array(this.species);
    this.#moves = new Float64Array(this.species);
    [this.#totals, this.#holders, this.#step, this.#row] = [n, n, n, n].map((length) => new Float64Array(length)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    this.#isAsked = new Uint8Array(n);
    this.#matrix = new Float64Array(n * n);
  }

  /**
   * The totals of a state, [names], of its abundances [species]. A net charge that is the rounding of what carries it is 0: in float32, that
   * of an ionised start is as large as all the charges of a dense core.
   */
  totals(abundances: ArrayLike<number>): Float64Array {
    this.#state.set(abundances);
    this.#sum();
    const sums = this.#totals.slice();
    const k = this.names.indexOf("charge");
    if (k >= 0 && Math.abs(sums[k]!) <= roundedCharge * this.#holders[k]!) sums[k] = 0;
    return sums;
  }

  /** How far a state's totals are from those wanted, [names]: relative to them, of the charge to all charges; 0 of what is wanted to be 0. */
  off(abundances: ArrayLike<number>, wanted: ArrayLike<number>): Float64Array {
    this.#state.set(abundances);
    this.#sum();
    return this.#totals.map((total, k) => {
      const size = this.names[k] === "charge" ? this.#holders[k]! : wanted[k]!;
      return size > 0 ? Math.abs(total - wanted[k]!) / size : 0;
    });
  }

  /** [totals, species] */
  counts(): Float32Array {
    const all = new Float32Array(this.names.length * this.species);
    for (let s = 0; s < this.species; s++) {
      for (let i = this.#starts[s]!; i < this.#starts[s + 1]!; i++) {
        all[this.#columns[i]! * this.species + s] = this.#counts[i]!;
      }
    }
    return all;
  }

  /**
   * Gives a state the totals, in place.
   * @param abundances  [species], linear, positive; as they were where the totals cannot be met
   * @param totals      [names]
   */
  project(abundances: Float32Array, totals: ArrayLike<number>): Correction {
    const x = this.#state;
    x.set(abundances);
    this.#sum();
    let absent = 0;
    for (let k = 0; k < this.names.length; k++) {
      const isCharge = this.names[k] === "charge";
      this.#isAsked[k] = this.#holders[k]! > 0 && (isCharge || totals[k]! > 0) ? 1 : 0;
      absent += 1 - this.#isAsked[k]!;
    }
    this.#weigh();
    let residual = this.#residual(totals);
    for (let i = 0; residual > tolerance && i < weightedIterations; i++) residual = this.#newton(totals);
    if (!(residual <= tolerance)) {
      x.set(abundances);
      this.#weights.fill(1);
      residual = this.#residual(totals);
      for (let i = 0; residual > tolerance && i < mostIterations; i++) {
        if (residual <= near || i >= sweeps) residual = this.#newton(totals);
        else {
          for (let k = 0; k < this.names.length; k++) if (this.#isAsked[k]) this.#scaleTo(k, totals[k]!);
          residual = this.#residual(totals);
        }
      }
    }
    if (!(residual <= 1e-6)) return { mean_dex: 0, residual, absent };
    let sum = 0;
    for (let s = 0; s < this.species; s++) {
      sum += Math.abs(Math.log(x[s]! / abundances[s]!));
      // No abundance becomes 0: what is smaller has no logarithm in float32.
      abundances[s] = Math.max(x[s]!, leastNormal);
    }
    return { mean_dex: sum / (this.species * Math.LN10), residual, absent };
  }

  /** Totals of the state, and what holds each: |counts| · abundances. */
  #sum(): void {
    const [x, starts, columns, counts, totals, holders] = [
      ...[this.#state, this.#starts, this.#columns, this.#counts, this.#totals, this.#holders],
    ] as [Float64Array, Int32Array, Int32Array, Float64Array, Float64Array, Float64Array];
    totals.fill(0);
    holders.fill(0);
    for (let s = 0; s < x.length; s++) {
      for (let i = starts[s]!; i < starts[s + 1]!; i++) {
        const amount = counts[i]! * x[s]!;
        totals[columns[i]!]! += amount;
        holders[columns[i]!]! += Math.abs(amount);
      }
    }
  }

  /** One step, and the residual after it. */
  #newton(wanted: ArrayLike<number>): number {
    this.#factor();
    this.#solve(wanted);
    this.#move();
    return this.#residual(wanted);
  }

  /** How far each species may move: by its share in its totals, added up. */
  #weigh(): void {
    for (let s = 0; s < this.species; s++) {
      let share = 0;
      for (let i = this.#starts[s]!; i < this.#starts[s + 1]!; i++) {
        const k = this.#columns[i]!;
        if (this.#isAsked[k]) share += (Math.abs(this.#counts[i]!) * this.#state[s]!) / this.#holders[k]!;
      }
      for (let i = 0; i < shareRoots; i++) share = Math.sqrt(share);
      this.#weights[s] = Math.max(share, leastWeight);
    }
  }

  #residual(wanted: ArrayLike<number>): number {
    this.#sum();
    let largest = 0;
    for (let k = 0; k < this.#totals.length; k++) {
      if (this.#isAsked[k]) {
        largest = Math.max(largest, Math.abs(wanted[k]! - this.#totals[k]!) / this.#holders[k]!);
      }
    }
    return largest;
  }

  /** Cholesky's factor of Aᵀ diag(w x) A, scaled on both sides to ones on its diagonal: elements differ by 1e7. */
  #factor(): void {
    const n = this.names.length;
    const [x, starts, columns, counts, m, scales] = [
      ...[this.#state, this.#starts, this.#columns, this.#counts, this.#matrix, this.#row],
    ] as [Float64Array, Int32Array, Int32Array, Float64Array, Float64Array, Float64Array];
    m.fill(0);
    for (let s = 0; s < x.length; s++) {
      const end = starts[s + 1]!;
      for (let i = starts[s]!; i < end; i++) {
        const amount = counts[i]! * x[s]! * this.#weights[s]!;
        for (let j = starts[s]!; j <= i; j++) m[columns[i]! * n + columns[j]!]! += amount * counts[j]!;
      }
    }
    for (let k = 0; k < n; k++) scales[k] = this.#isAsked[k] ? 1 / Math.sqrt(m[k * n + k]!) : 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = m[i * n + j]! * scales[i]! * scales[j]!;
        for (let k = 0; k < j; k++) sum -= m[i * n + k]! * m[j * n + k]!;
        if (i !== j) m[i * n + j] = m[j * n + j] === 0 ? 0 : sum / m[j * n + j]!;
        else m[i * n + i] = sum > dependent ? Math.sqrt(sum) : 0;
      }
    }
  }

  /** The step of λ that the factor gives for what is missing. */
  #solve(wanted: ArrayLike<number>): void {
    const n = this.names.length;
    const [m, scales, y] = [this.#matrix, this.#row, this.#step];
    for (let i = 0; i < n; i++) {
      let sum = this.#isAsked[i] ? (wanted[i]! - this.#totals[i]!) * scales[i]! : 0;
      for (let k = 0; k < i; k++) sum -= m[i * n + k]! * y[k]!;
      y[i] = m[i * n + i] === 0 ? 0 : sum / m[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = y[i]!;
      for (let k = i + 1; k < n; k++) sum -= m[k * n + i]! * y[k]!;
      y[i] = m[i * n + i] === 0 ? 0 : sum / m[i * n + i]!;
    }
    for (let i = 0; i < n; i++) y[i]! *= scales[i]!;
  }

  /** x · exp(w A step), cut so that no abundance moves too far at once. */
  #move(): void {
    const [x, starts, columns, counts, step, moves] = [
      ...[this.#state, this.#starts, this.#columns, this.#counts, this.#step, this.#moves],
    ] as [Float64Array, Int32Array, Int32Array, Float64Array, Float64Array, Float64Array];
    let furthest = 0;
    for (let s = 0; s < x.length; s++) {
      let by = 0;
      for (let i = starts[s]!; i < starts[s + 1]!; i++) by += counts[i]! * step[columns[i]!]!;
      moves[s] = by * this.#weights[s]!;
      furthest = Math.max(furthest, Math.abs(moves[s]!));
    }
    for (let s = 0; s < x.length; s++)
      x[s]! *= Math.exp((furthest > largestStep ? largestStep / furthest : 1) * moves[s]!);
  }

  /** Gives what holds one total a factor exp(count · t) that meets it: t is found in logarithms, of the positive and the negative part. */
  #scaleTo(k: number, wanted: number): void {
    const [x, { species, counts }] = [this.#state, this.#holding[k]!];
    let t = 0;
    for (let i = 0; i < mostIterations; i++) {
      let [gained, lost, gaining, losing] = [Math.max(-wanted, 0), Math.max(wanted, 0), 0, 0];
      for (let j = 0; j < species.length; j++) {
        const count = counts[j]!;
        const amount = count * x[species[j]!]! * Math.exp(count * t);
        if (count > 0) {
          gained += amount;
          gaining += count * amount;
        } else {
          lost -= amount;
          losing += count * amount;
        }
      }
      // Increasing in t, and both parts are convex: it falls to the root from one side.
      const off = Math.log(gained / lost);
      if (!(Math.abs(off) > 0.1)) break;
      t -= off / (gaining / gained + losing / lost);
    }
    for (let j = 0; j < species.length; j++) x[species[j]!]! *= Math.exp(counts[j]! * t);
  }
}
