import { type CheckVectors, checkTolerance } from "./check-vectors.ts";
import type { Description } from "./description.ts";

/** Cells that Fortran computes again: the C check has all; this one is for the module. */
const cells = 2;

/** `check.f90`: the same for the Fortran module, with arrays that are not contiguous too. */
export function checkFortran(about: Description, vectors: CheckVectors): string {
  const { name, carry, members } = about;
  const { steps, span_dex } = vectors;
  const [S, P, L] = [about.species.length, about.conditions.length, about.latents];
  const T = about.conserved.names.length;
  const filled: Filled = (of, values) => {
    const used = Array.from(values.subarray(0, (values.length / vectors.cells) * cells), fortranReal);
    const lines: string[] = [];
    for (let k = 0; k < used.length; k += 4) {
      const row = used.slice(k, k + 4);
      lines.push(`  flat(${k + 1}:${k + row.length}) = [${row.join(", ")}]`);
    }
    return `${lines.join("\n")}\n  ${of} = reshape(flat(1:${used.length}), shape(${of}))`;
  };
  const step =
    carry > 0
      ? `call ${name}_step(physical(:, t, :), z, memory, flags, status)`
      : `call ${name}_step(physical(:, t, :), z, flags, status)`;
  return `! Written by astrochem. Compares the Fortran module with results of the program that wrote it, in scaled units.
program check
  use ${name}
  implicit none
  integer, parameter :: cells = ${cells}, steps = ${steps}
  real(${name}_real), parameter :: tolerance = ${checkTolerance.toExponential()}
  real(${name}_real) :: flat(${Math.max(S, P, L, T) * steps * cells})
  real(${name}_real) :: physical(${P}, steps, cells), abundances(${S}, cells), latents(${L}, cells)
  real(${name}_real) :: stepped(${L}, steps, cells), evolved(${S}, steps, cells), conserved(${S}, cells)
  real(${name}_real) :: scale(${L}), offset(${L}), totals(${name}_totals, cells), totals_wanted(${name}_totals, cells)
  real(${name}_real) :: correction(cells), doubtful(${S}, cells)
  real(${name}_real) :: z(${L}, cells), out(${S}, steps, cells), wide(2 * ${S}, cells)
  real(${name}_real) :: errors(2 * steps, cells), trust(${name}_trust_size, cells)
${vectors.trusted ? `  real(${name}_real) :: near_physical(${P}, steps, cells), near_abundances(${S}, cells), now(cells)\n  real(${name}_real) :: wanted_errors(steps, cells), allowed_errors(steps, cells)\n` : ""}${members > 1 ? `  real(${name}_real) :: spreads(steps, cells), apart(steps, cells)\n` : ""}${carry > 0 ? `  real(${name}_real) :: memory(${carry}, cells)\n` : ""}  integer(${name}_flag) :: flags(cells), told(cells)
  real(${name}_real) :: worst
  double precision :: lower, upper
  integer :: status, t
  logical :: failed

  flat = 0
${filled("physical", vectors.physical)}
${filled("abundances", vectors.abundances)}
${filled("latents", vectors.latents)}
${filled("stepped", vectors.stepped)}
${filled("evolved", vectors.evolved)}
${vectors.spread ? `${filled("spreads", vectors.spread)}\n` : ""}${filled("conserved", vectors.conserved)}
${filled("doubtful", vectors.doubtful)}
${filled("totals_wanted", vectors.totals)}
${vectors.scale.map((each, k) => `  scale(${k + 1}) = ${fortranReal(each)}\n  offset(${k + 1}) = ${fortranReal(Math.abs(vectors.shift[k]! / each))}`).join("\n")}
  worst = 0
  failed = .false.

  wide = 0
  wide(1::2, :) = abundances
  call ${name}_encode(wide(1::2, :), z, flags, status)
  call expect(status == ${name}_ok, 'encode returned an error')
  call compare_latents(z, latents)
  z = latents
${carry > 0 ? `  call ${name}_start(z, memory, status)\n` : ""}  do t = 1, steps
    ${step}
    call expect(status == ${name}_ok, 'step returned an error')
    call compare_latents(z, stepped(:, t, :))
  end do
  call ${name}_decode(z, wide(1::2, :), flags, status)
  call expect(status == ${name}_ok, 'decode returned an error')
  call compare_abundances(wide(1::2, :), evolved(:, steps, :))
  call ${name}_emulate(physical, abundances, out, flags, status)
  call expect(status == ${name}_ok, 'emulate returned an error')
  call ${name}_totals_of(abundances, totals, status)
  call expect(status == ${name}_ok, 'totals_of returned an error')
  call ${name}_decode(z, wide(1::2, :), told, status, totals)
  call expect(status == ${name}_ok, 'decode with totals returned an error')
  do t = 1, cells
    if (flags(t) == 0 .and. told(t) == 0) call compare_abundances(out(:, steps, t:t), wide(1::2, t:t))
  end do
  wide(1::2, :) = doubtful
  call ${name}_conserve(totals_wanted, wide(1::2, :), flags, status)
  call expect(status == ${name}_ok .and. all(flags == 0), 'conserve returned an error')
  call compare_abundances(wide(1::2, :), conserved)
  call ${name}_conserve(totals_wanted, wide(1::2, :), flags, status, correction)
  call expect(all(correction < 1e-5), 'what is conserved is corrected again')
  call ${name}_emulate(physical, abundances, out, status=status, conserve=.false.${members > 1 ? ", spread=apart" : ""})
${members > 1 ? `  call expect(all(abs(apart - spreads) <= 1e-5 * ${span_dex.toPrecision(8)}), 'the spread is another')\n` : ""}  call expect(status == ${name}_ok, 'emulate returned an error')
  do t = 1, steps
    call compare_abundances(out(:, t, :), evolved(:, t, :))
  end do
  call ${name}_encode(abundances(:, 1:1), z, status=status)
  call expect(status == ${name}_bad_shape, 'another number of cells is no error')
  call expect(${name}_index(${name}_name(${S})) == ${S}, 'a species is not found by its name')
  call expect(len_trim(${name}_parameter_name(1)) > 0, 'a parameter has no name')
  call ${name}_parameter_range(1, lower, upper)
  call expect(lower < upper, 'a parameter has no range')
${trustLines(about, vectors, filled)}
  print '(a, es8.1, a)', 'Fortran: the largest deviation is ', worst, ' in scaled units'
  if (failed) stop 1

contains

  subroutine expect(holds, what)
    logical, intent(in) :: holds
    character(len=*), intent(in) :: what
    if (holds) return
    print '(2a)', 'FAILED: ', what
    failed = .true.
  end subroutine expect

  subroutine deviates(deviation)
    real(${name}_real), intent(in) :: deviation
    worst = max(worst, deviation)
    if (.not. deviation <= tolerance) call expect(failed, 'deviates')
  end subroutine deviates

  subroutine compare_latents(found, wanted)
    real(${name}_real), intent(in) :: found(:, :), wanted(:, :)
    integer :: i, k
    do i = 1, size(found, 2)
      do k = 1, size(found, 1)
        call deviates(abs(found(k, i) - wanted(k, i)) / scale(k) / max(1.0, offset(k), abs(wanted(k, i) / scale(k))))
      end do
    end do
  end subroutine compare_latents

  subroutine compare_abundances(found, wanted)
    real(${name}_real), intent(in) :: found(:, :), wanted(:, :)
    integer :: i, k
    do i = 1, size(found, 2)
      do k = 1, size(found, 1)
        call deviates(abs(log10(found(k, i)) - log10(wanted(k, i))) / ${span_dex.toPrecision(8)})
      end do
    end do
  end subroutine compare_abundances

end program check
`;
}

/** Expected errors, or that there are none. */
function trustLines({ name, carry, members }: Description, { trusted }: CheckVectors, filled: Filled): string {
  if (trusted === null) {
    return `  call ${name}_trust_begin(abundances, trust, status)
  call expect(status == ${name}_not_calibrated, 'an error is told')
  call ${name}_emulate(physical, abundances, out, status=status, expected_error=errors(1::2, :))
  call expect(status == ${name}_not_calibrated, 'an error is told')`;
  }
  const expectErrors = (of: string, at: string, what: string): string =>
    `call expect(all(abs(${of} - wanted_errors${at}) <= allowed_errors${at}), '${what} has other errors')`;
  return `${filled("near_physical", trusted.physical)}
${filled("near_abundances", trusted.abundances)}
${filled("wanted_errors", trusted.expected)}
${filled("allowed_errors", trusted.allowed)}
  call ${name}_emulate(near_physical, near_abundances, out, flags, status, errors(1::2, :))
  call expect(status == ${name}_ok, 'emulate returned an error')
  ${expectErrors("errors(1::2, :)", "", "emulate")}
  call ${name}_totals_of(near_abundances, totals, status)
  call ${name}_encode(near_abundances, z, status=status)
  call ${name}_trust_begin(near_abundances, trust, status)
  call expect(status == ${name}_ok, 'trust_begin returned an error')
${carry > 0 ? `  call ${name}_start(z, memory, status)\n` : ""}  do t = 1, steps
    call ${name}_trust_step(near_physical(:, t, :), z, trust, told, status, now)
    call expect(status == ${name}_ok, 'trust_step returned an error')
    call ${name}_step(near_physical(:, t, :), z, ${carry > 0 ? "memory, " : ""}status=status)
    call ${name}_decode(z, wide(1::2, :)${members > 1 ? ", spread=apart(1, :)" : ""})
    call ${name}_conserve(totals, wide(1::2, :), correction=correction)
    call ${name}_trust_correct(correction, trust, told, status, expected_error=now${members > 1 ? ", spread=apart(1, :)" : ""})
    ${expectErrors("now", "(t, :)", "trust_step")}
  end do
  call expect(all(told == iand(flags, not(255_${name}_flag))), 'emulate and trust_step have other flags')
  call expect(${name}_trust_level() > 0, 'there is no level')`;
}

type Filled = (of: string, values: Float32Array) => string;

/** A literal of the kind of c_float, which default real is wherever this is compiled. */
function fortranReal(value: number): string {
  return Number.isFinite(value) ? value.toExponential(8) : "0.0";
}
