import type { Description } from "./description.ts";
import { signalsOf, trustSizeOf } from "./trust.ts";

/** An array of a wrapper: how C takes it, and what its dimensions are in Fortran. */
interface Argument {
  readonly name: string;
  readonly intent: "in" | "out" | "inout";
  readonly dimensions: readonly string[];
  /** It may be absent: C gets NULL. */
  readonly optional?: true;
}

/** `surrogate.f90`: the C functions behind arrays of assumed shape. */
export function fortranModule(about: Description): string {
  const { name, species, conditions, latents, members, carry, conserved } = about;
  const array = (of: string, intent: Argument["intent"], ...dimensions: string[]): Argument => ({
    name: of,
    intent,
    dimensions,
  });
  const [S, P, L, C, T] = ["species", "parameters", "latents", "carry", "totals"].map((each) => `${name}_${each}`) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const spread = (intent: Argument["intent"], ...dimensions: string[]): Argument[] =>
    members > 1 ? [{ ...array("spread", intent, ...dimensions), optional: true }] : [];
  const memory = carry > 0 ? [array("carry", "inout", C, "n")] : [];
  const trust = (intent: Argument["intent"]): Argument => array("trust", intent, `${name}_trust_size`, "n");
  const expectedError: Argument = { ...array("expected_error", "out", "n"), optional: true };
  const wrappers = [
    wrapper(name, "encode", [array("abundances", "in", S, "n"), array("latents", "out", L, "n")]),
    wrapper(name, "decode", [
      array("latents", "in", L, "n"),
      { ...array("totals", "in", T, "n"), optional: true },
      array("abundances", "out", S, "n"),
      ...spread("out", "n"),
    ]),
    wrapper(name, "totals_of", [array("abundances", "in", S, "n"), array("totals", "out", T, "n")], false),
    wrapper(name, "conserve", [
      array("totals", "in", T, "n"),
      array("abundances", "inout", S, "n"),
      { ...array("correction", "out", "n"), optional: true },
    ]),
    ...(carry > 0
      ? [wrapper(name, "start", [array("latents", "in", L, "n"), array("carry", "out", C, "n")], false)]
      : []),
    wrapper(name, "step", [array("physical", "in", P, "n"), array("latents", "inout", L, "n"), ...memory]),
    wrapper(name, "emulate", [
      array("physical", "in", P, "steps", "n"),
      array("abundances", "in", S, "n"),
      array("evolved", "out", S, "steps", "n"),
      { ...array("expected_error", "out", "steps", "n"), optional: true },
      ...spread("out", "steps", "n"),
    ]),
    wrapper(name, "trust_begin", [array("abundances", "in", S, "n"), trust("out")], false),
    wrapper(name, "trust_step", [
      array("physical", "in", P, "n"),
      array("latents", "in", L, "n"),
      trust("inout"),
      expectedError,
    ]),
    wrapper(name, "trust_correct", [
      array("correction", "in", "n"),
      ...spread("in", "n"),
      trust("inout"),
      expectedError,
    ]),
  ];
  const longest = Math.max(
    ...species.map((each) => each.length),
    ...[...conditions.map((each) => each.name), ...conserved.names].map((each) => each.length),
    1,
  );
  const publics = [
    "encode",
    "decode",
    "totals_of",
    "conserve",
    ...(carry > 0 ? ["start"] : []),
    "step",
    "emulate",
    "trust_begin",
    "trust_step",
    "trust_correct",
    "trust_level",
    "name",
    "parameter_name",
    "parameter_range",
    "total_name",
    "index",
    "step_years",
  ];
  return `! A surrogate of a chemical network: ${about.provenance[0]}. What the arrays are stands in README.md.
! The first index runs over the species, latents or parameters of a cell, the last over the cells.
module ${name}
  use, intrinsic :: iso_c_binding, only: c_int, c_int32_t, c_size_t, c_float, c_double, c_ptr, c_null_ptr, c_loc, &
    c_char, c_null_char, c_f_pointer, c_associated
  implicit none
  private

  integer, parameter, public :: ${name}_real = c_float
  integer, parameter, public :: ${name}_flag = c_int32_t
  integer, parameter, public :: ${name}_species = ${species.length}
  integer, parameter, public :: ${name}_parameters = ${conditions.length}
  integer, parameter, public :: ${name}_latents = ${latents}
  integer, parameter, public :: ${name}_members = ${members}
  integer, parameter, public :: ${name}_carry = ${carry}
  integer, parameter, public :: ${name}_totals = ${conserved.names.length}
  integer, parameter, public :: ${name}_trust_size = ${trustSizeOf(about)}
  ! Statuses.
  integer, parameter, public :: ${name}_ok = 0
  integer, parameter, public :: ${name}_bad_shape = 3
  integer, parameter, public :: ${name}_not_calibrated = 5
  ! Bits of a cell's flags, for iand.
  integer(c_int32_t), parameter, public :: ${name}_out_of_range = 1
  integer(c_int32_t), parameter, public :: ${name}_clipped = 2
  integer(c_int32_t), parameter, public :: ${name}_not_finite = 4
  integer(c_int32_t), parameter, public :: ${name}_not_conserved = 8

  ! The same, from the step on that a trajectory shows what 1 % of the validation's states exceed.
${signalsOf(about)
  .map((each) => `  integer(c_int32_t), parameter, public :: ${name}_trust_${each.name} = ${each.bit}`)
  .join("\n")}

${publics.map((each) => `  public :: ${name}_${each}`).join("\n")}

  interface
${wrappers.map(({ c }) => c).join("\n\n")}

    function c_name(index) bind(c, name="${name}_species") result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: index
      type(c_ptr) :: text
    end function c_name

    function c_parameter(index) bind(c, name="${name}_parameter") result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: index
      type(c_ptr) :: text
    end function c_parameter

    function c_range(index, lower, upper) bind(c, name="${name}_parameter_range") result(status)
      import :: c_int, c_double
      integer(c_int), value :: index
      real(c_double), intent(out) :: lower, upper
      integer(c_int) :: status
    end function c_range

    function c_total(index) bind(c, name="${name}_total") result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: index
      type(c_ptr) :: text
    end function c_total

    function c_trust_level() bind(c, name="${name}_trust_level") result(level)
      import :: c_double
      real(c_double) :: level
    end function c_trust_level

    function c_step_years() bind(c, name="${name}_step_years") result(years)
      import :: c_double
      real(c_double) :: years
    end function c_step_years
  end interface

contains

${wrappers.map(({ fortran }) => fortran).join("\n\n")}

  ! The name of a species by its index from 1; blank where there is none.
  function ${name}_name(index) result(name)
    integer, intent(in) :: index
    character(len=${longest}) :: name
    name = text_of(c_name(int(index - 1, c_int)))
  end function ${name}_name

  ! The name of a physical parameter by its index from 1; blank where there is none.
  function ${name}_parameter_name(index) result(name)
    integer, intent(in) :: index
    character(len=${longest}) :: name
    name = text_of(c_parameter(int(index - 1, c_int)))
  end function ${name}_parameter_name

  ! The range outside of which a physical parameter is flagged, by its index from 1; NaN where there is none.
  subroutine ${name}_parameter_range(index, lower, upper)
    integer, intent(in) :: index
    real(c_double), intent(out) :: lower, upper
    if (c_range(int(index - 1, c_int), lower, upper) == ${name}_ok) return
    lower = 0
    lower = lower / lower
    upper = lower
  end subroutine ${name}_parameter_range

  ! The name of a total, an element or charge, by its index from 1; blank where there is none.
  function ${name}_total_name(index) result(name)
    integer, intent(in) :: index
    character(len=${longest}) :: name
    name = text_of(c_total(int(index - 1, c_int)))
  end function ${name}_total_name

  ! The index of a species by its name; 0 where there is none.
  function ${name}_index(species) result(index)
    character(len=*), intent(in) :: species
    integer :: index
    do index = 1, ${name}_species
      if (${name}_name(index) == species) return
    end do
    index = 0
  end function ${name}_index

  ! Years of one step; NaN where it varies or is not known.
  function ${name}_step_years() result(years)
    real(c_double) :: years
    years = c_step_years()
  end function ${name}_step_years

  ! The part of states that an expected error covers; NaN where the weights are not calibrated.
  function ${name}_trust_level() result(level)
    real(c_double) :: level
    level = c_trust_level()
  end function ${name}_trust_level

  function text_of(address) result(name)
    type(c_ptr), intent(in) :: address
    character(len=${longest}) :: name
    character(kind=c_char), pointer :: letters(:)
    integer :: k
    name = ' '
    if (.not. c_associated(address)) return
    call c_f_pointer(address, letters, [${longest + 1}])
    do k = 1, ${longest}
      if (letters(k) == c_null_char) return
      name(k:k) = letters(k)
    end do
  end function text_of

end module ${name}
`;
}

/** A dimension as a default integer. */
const counted = (length: string): string => (length === "n" || length === "steps" ? `int(${length})` : length);

/** A C function as Fortran knows it, and the subroutine before it: what may be absent comes last there. */
function wrapper(
  name: string,
  word: string,
  args: readonly Argument[],
  hasFlags = true,
): { c: string; fortran: string } {
  const isEmulate = word === "emulate";
  const counts = isEmulate ? ["n", "steps"] : ["n"];
  const needed = args.filter(({ optional }) => !optional);
  const extra = args.filter(({ optional }) => optional);
  const beforeEvolved = (of: string): string[] => (isEmulate && of === "evolved" ? ["options"] : []);
  const cArgs = args.flatMap((each) => [...beforeEvolved(each.name), each.name]);
  const all = [...counts, ...cArgs, ...(hasFlags ? ["flags"] : [])];
  const bound = word === "totals_of" ? "totals" : word;
  const c = [
    `    function c_${word}(${all.join(", ")}) &`,
    `      bind(c, name="${name}_${bound}") result(status)`,
    "      import :: c_int, c_size_t, c_float, c_ptr",
    `      integer(c_size_t), value :: ${counts.join(", ")}`,
    ...needed.map(({ name: of, intent }) => `      real(c_float), intent(${intent}) :: ${of}(*)`),
    ...extra.map(({ name: of }) => `      type(c_ptr), value :: ${of}`),
    ...(isEmulate ? ["      integer(c_int), value :: options"] : []),
    ...(hasFlags ? ["      type(c_ptr), value :: flags"] : []),
    "      integer(c_int) :: status",
    `    end function c_${word}`,
  ].join("\n");
  const first = needed[0]!;
  const last = first.dimensions.length;
  const lengths = ({ name: of, dimensions }: Argument): (readonly [string, string])[] =>
    dimensions.map((length, k) => [`size(${of}, ${k + 1})`, counted(length)] as const);
  const wrong = needed
    .flatMap(lengths)
    .filter(([size, length]) => !(size === `size(${first.name}, ${last})` && length === "int(n)"));
  const shape = ({ dimensions }: Argument): string => dimensions.map(() => ":").join(", ");
  const lines = [
    `subroutine ${name}_${word}(${[
      ...needed.map((each) => each.name),
      ...(hasFlags ? ["flags"] : []),
      "status",
      ...extra.map((each) => each.name),
      ...(isEmulate ? ["conserve"] : []),
    ].join(", ")})`,
    ...needed.map((each) => `  real(c_float), intent(${each.intent}) :: ${each.name}(${shape(each)})`),
    ...(hasFlags ? ["  integer(c_int32_t), intent(out), optional :: flags(:)"] : []),
    "  integer, intent(out), optional :: status",
    ...extra.map((each) => `  real(c_float), intent(${each.intent}), optional :: ${each.name}(${shape(each)})`),
    ...(isEmulate ? ["  logical, intent(in), optional :: conserve", "  integer(c_int) :: options"] : []),
    ...(hasFlags ? ["  integer(c_int32_t), allocatable, target :: told(:)", "  type(c_ptr) :: place"] : []),
    ...extra.flatMap((each) => [
      `  real(c_float), allocatable, target :: the_${each.name}(${shape(each)})`,
      `  type(c_ptr) :: ${each.name}_place`,
    ]),
    `  integer(c_size_t) :: ${counts.join(", ")}`,
    "  integer :: code",
    `  n = size(${first.name}, ${last}, kind=c_size_t)`,
    ...(isEmulate
      ? [
          "  steps = size(physical, 2, kind=c_size_t)",
          "  options = 0",
          "  if (present(conserve)) then",
          "    if (.not. conserve) options = 1",
          "  end if",
        ]
      : []),
    `  code = ${name}_bad_shape`,
    ...wrong.map(([size, length]) => `  if (${size} /= ${length}) goto 1`),
    ...extra.flatMap((each) => [
      `  ${each.name}_place = c_null_ptr`,
      `  if (present(${each.name})) then`,
      ...lengths(each).map(([size, length]) => `    if (${size} /= ${length}) goto 1`),
      `    allocate(the_${each.name}(${each.dimensions.map((length) => `max(1, ${counted(length)})`).join(", ")}))`,
      ...(each.intent === "in"
        ? [`    the_${each.name}(${each.dimensions.map((length) => `1:${counted(length)}`).join(", ")}) = ${each.name}`]
        : []),
      `    ${each.name}_place = c_loc(the_${each.name}(${each.dimensions.map(() => "1").join(", ")}))`,
      "  else",
      `    allocate(the_${each.name}(${each.dimensions.map(() => "1").join(", ")})) ! gfortran warns of what it cannot follow`,
      "  end if",
    ]),
    ...(hasFlags
      ? [
          "  place = c_null_ptr",
          "  if (present(flags)) then",
          "    if (size(flags) /= int(n)) goto 1",
          "    allocate(told(max(1, int(n))))",
          "    place = c_loc(told(1))",
          "  end if",
        ]
      : []),
    `  code = int(c_${word}(${[
      ...counts,
      ...args.flatMap(({ name: of, optional }) => [...beforeEvolved(of), optional ? `${of}_place` : of]),
      ...(hasFlags ? ["place"] : []),
    ].join(", ")}))`,
    ...(hasFlags ? [`  if (code == ${name}_ok .and. present(flags)) flags = told(1:int(n))`] : []),
    ...extra
      .filter(({ intent }) => intent === "out")
      .map(
        ({ name: of, dimensions }) =>
          `  if (code == ${name}_ok .and. present(${of})) ${of} = the_${of}(${dimensions.map((length) => `1:${counted(length)}`).join(", ")})`,
      ),
  ];
  const fortran = `${lines.map((line) => `  ${line}`).join("\n")}
1   continue
    if (present(status)) then
      status = code
    else if (code /= ${name}_ok) then
      write (*, '(a, i0)') '${name}_${word}: error ', code
    end if
  end subroutine ${name}_${word}`;
  return { c, fortran };
}
