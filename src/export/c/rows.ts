import type { Width } from "../../backend/c/prelude.ts";
import { sizeOf } from "../../backend/engine.ts";
import type { PartPort } from "../onnx-parts.ts";
import type { Description } from "./description.ts";
import { trustSizeOf } from "./trust.ts";

/** Where each carried array lies in the one that callers have. */
function carryArguments(array: string, carried: readonly PartPort[], { cells }: Width): string {
  let at = 0;
  return carried
    .map((port) => {
      const text = `, ${array} + ${at} * ${cells}`;
      at += sizeOf(port.shape);
      return text;
    })
    .join("");
}

/** The functions for a block of cells or for one, on rows. */
export function oneWidth(about: Description, width: Width, carried: readonly PartPort[]): string {
  const { species, conditions, latents, members, carry, conserved, trust } = about;
  const { word, cells } = width;
  const isBlock = word !== "one";
  const [S, P, L, T] = [species.length, conditions.length, latents, conserved.names.length];
  const moved = (mover: string, stride: string, count: number, from: string, to: string): string =>
    isBlock
      ? `${mover}(${cells}, cells, ${stride}, ${count}, ${from}, ${to});`
      : `memcpy(${to}, ${from}, ${count} * sizeof(float));`;
  const load = (count: number, from: string, to: string, stride = `${count}`): string =>
    moved("sg_gather", stride, count, from, to);
  const store = (count: number, from: string, to: string, stride = `${count}`): string =>
    moved("sg_scatter", stride, count, from, to);
  const count = isBlock ? "size_t cells, " : "";
  const array = (of: string, size: number): string => `float ${of}[${size} * ${cells}];`;
  const [hasCarry, isEnsemble] = [carry > 0, members > 1];
  const trustSize = trustSizeOf(about);
  const decode = `sg_decode_${word}(z, rows${isEnsemble ? ", apart" : ""});`;
  const apart = isEnsemble ? [array("apart", 1)] : [];
  const made = carryArguments("next_memory", carried, width);
  const given = carryArguments("memory", carried, width);
  const stepCall = `sg_step_${word}(x, z${given}, next${made});`;
  const turn = ["memcpy(z, next, sizeof z);", ...(hasCarry ? ["memcpy(memory, next_memory, sizeof memory);"] : [])];
  const memory = hasCarry ? [array("memory", carry), array("next_memory", carry)] : [];
  const rows = (of: string, args: string, lines: readonly string[]): string =>
    `static void sg_${of}_rows_${word}(${count}${args})\n{\n${lines.map((line) => `  ${line}`).join("\n")}\n}`;
  const keep = (correction: string): string =>
    `sg_conserve_${word}(${isBlock ? "cells, " : ""}kept, rows, ${correction}, flags);`;
  const ifKept = (test: string, ...lines: string[]): string[] =>
    T === 0 ? [] : [`if (${test}) {`, ...lines.map((line) => `  ${line}`), "}"];
  return [
    ...(T > 0 ? [conservedWidth(about, width)] : []),
    rows("encode", "const float *abundances, float *latents", [
      array("rows", S),
      array("z", L),
      load(S, "abundances", "rows"),
      `sg_encode_${word}(rows, z);`,
      store(L, "z", "latents"),
    ]),
    rows(
      "decode",
      `const float *latents, const float *totals, float *abundances, float *correction, ${isEnsemble ? "float *spread, " : ""}uint32_t *flags`,
      [
        ...[array("z", L), array("rows", S), ...apart],
        load(L, "latents", "z"),
        decode,
        ...(isEnsemble ? [`if (spread != NULL) ${store(1, "apart", "spread")}`] : []),
        ...ifKept("totals != NULL", array("kept", T), load(T, "totals", "kept"), keep("correction")),
        ...(T === 0 ? ["(void)totals, (void)correction, (void)flags;"] : []),
        store(S, "rows", "abundances"),
      ],
    ),
    ...(T > 0
      ? [
          rows("totals", "const float *abundances, float *totals", [
            array("rows", S),
            array("kept", T),
            load(S, "abundances", "rows"),
            `sg_totals_${word}(rows, kept);`,
            store(T, "kept", "totals"),
          ]),
          rows("conserve", "const float *totals, float *abundances, float *correction, uint32_t *flags", [
            array("rows", S),
            array("kept", T),
            load(S, "abundances", "rows"),
            load(T, "totals", "kept"),
            keep("correction"),
            store(S, "rows", "abundances"),
          ]),
        ]
      : []),
    ...(trust
      ? [
          rows("distance", "const float *physical, const float *latents, float *distance", [
            ...[array("x", P), array("z", L), array("d", 1)],
            load(P, "physical", "x"),
            load(L, "latents", "z"),
            `sg_distance_${word}(x, z, d);`,
            store(1, "d", "distance"),
          ]),
        ]
      : []),
    ...(hasCarry
      ? [
          rows("start", "const float *latents, float *carry", [
            array("z", L),
            array("memory", carry),
            load(L, "latents", "z"),
            `sg_start_${word}(z${given});`,
            store(carry, "memory", "carry"),
          ]),
        ]
      : []),
    rows("step", `const float *physical, float *latents${hasCarry ? ", float *carry" : ""}`, [
      ...[array("x", P), array("z", L), array("next", L), ...memory],
      load(P, "physical", "x"),
      load(L, "latents", "z"),
      ...(hasCarry ? [load(carry, "carry", "memory")] : []),
      stepCall,
      store(L, "next", "latents"),
      ...(hasCarry ? [store(carry, "next_memory", "carry")] : []),
    ]),
    rows(
      "emulate",
      `size_t steps, int is_kept, const float *physical, const float *abundances, float *evolved, float *expected_error, ${isEnsemble ? "float *spread, " : ""}uint32_t *flags`,
      [
        ...[array("rows", S), array("x", P), array("z", L), array("next", L), ...(isBlock ? apart : []), ...memory],
        T > 0 ? array("kept", T) : "(void)is_kept, (void)flags;",
        ...trustStart(trust !== null, width, [S, T], trustSize),
        load(S, "abundances", "rows"),
        ...(T > 0 ? [`if (is_kept) sg_totals_${word}(rows, kept);`] : []),
        `sg_encode_${word}(rows, z);`,
        ...(hasCarry ? [`sg_start_${word}(z${given});`] : []),
        ...(isBlock
          ? [
              "for (size_t t = 0; t < steps; t++) {",
              ...[
                load(P, `physical + t * ${P}`, "x", `steps * ${P}`),
                ...(trust ? [`if (expected_error != NULL) sg_distance_${word}(x, z, distance);`] : []),
                stepCall,
                ...turn,
                decode,
                ...(isEnsemble ? [`if (spread != NULL) ${store(1, "apart", "spread + t", "steps")}`] : []),
                ...(T > 0
                  ? [`if (is_kept) ${keep(trust ? "(expected_error == NULL) ? NULL : correction" : "NULL")}`]
                  : []),
                ...(trust ? trustOfBlock(P, T, trustSize, isEnsemble) : []),
                store(S, "rows", `evolved + t * ${S}`, `steps * ${S}`),
              ].map((line) => `  ${line}`),
              "}",
            ]
          : stepsOfOne([S, P, L, T], [stepCall, ...turn], trust !== null, isEnsemble)),
      ],
    ),
  ].join("\n\n");
}

/** The steps of one cell, decoded as a block of cells. */
function stepsOfOne(
  [S, P, L, T]: readonly [number, number, number, number],
  step: readonly string[],
  hasTrust: boolean,
  isEnsemble: boolean,
): string[] {
  const totals = T > 0 ? "is_kept ? totals : NULL" : "NULL";
  const corrected = (place: string): string => (hasTrust ? `(expected_error == NULL) ? NULL : ${place}` : "NULL");
  const decoded = (word: string): string =>
    `    sg_decode_rows_${word}(count, some, ${totals}, evolved + t * ${S}, ${corrected("correction")}, ${isEnsemble ? "apart, " : ""}told);`;
  return [
    `float some[SG_BLOCK * ${L}];`,
    ...(hasTrust ? [`float seen[SG_BLOCK * ${L}];`] : []),
    ...(isEnsemble ? ["float apart[SG_BLOCK];"] : []),
    "uint32_t told[SG_BLOCK];",
    ...(T > 0
      ? [
          `float totals[SG_BLOCK * ${T}];`,
          "if (is_kept) {",
          `  for (size_t i = 0; i < SG_BLOCK; i++) memcpy(totals + i * ${T}, kept, sizeof kept);`,
          "}",
        ]
      : []),
    "for (size_t t = 0; t < steps;) {",
    "  const size_t count = (steps - t < SG_BLOCK) ? steps - t : SG_BLOCK;",
    "  for (size_t i = 0; i < count; i++) {",
    `    memcpy(x, physical + (t + i) * ${P}, sizeof x);`,
    ...(hasTrust ? [`    memcpy(seen + i * ${L}, z, sizeof z);`] : []),
    ...step.map((line) => `    ${line}`),
    `    memcpy(some + i * ${L}, z, sizeof z);`,
    "    told[i] = 0u;",
    "  }",
    "  if (count > SG_NARROW) {",
    decoded("block"),
    "  } else if (count >= SG_FEW) {",
    decoded("narrow"),
    "  } else {",
    `    for (size_t i = 0; i < count; i++) sg_decode_rows_one(some + i * ${L}, ${totals}, evolved + (t + i) * ${S}, ${corrected("correction + i")}, ${isEnsemble ? "apart + i, " : ""}told + i);`,
    "  }",
    "  for (size_t i = 0; i < count; i++) {",
    "    if (flags != NULL) *flags |= told[i];",
    "  }",
    ...(isEnsemble ? ["  if (spread != NULL) memcpy(spread + t, apart, count * sizeof(float));"] : []),
    ...(hasTrust
      ? [
          "  if (expected_error != NULL) {",
          `    sg_distances(count, physical + t * ${P}, seen, distance);`,
          "    for (size_t i = 0; i < count; i++) {",
          "      uint32_t why = 0u;",
          `      sg_trust_see(trust, physical + (t + i) * ${P}, distance[i]);`,
          ...(T > 0 ? ["      if (is_kept) sg_trust_correct(trust, correction[i]);"] : []),
          ...(isEnsemble ? ["      sg_trust_spread(trust, apart[i]);"] : []),
          "      expected_error[t + i] = sg_trust_error(trust, &why);",
          "      if (flags != NULL) *flags |= why;",
          "    }",
          "  }",
        ]
      : []),
    "  t += count;",
    "}",
  ];
}

/** What the trust of trajectories begins with. */
function trustStart(
  hasTrust: boolean,
  { word }: Width,
  [S, T]: readonly [number, number],
  trustSize: number,
): string[] {
  if (!hasTrust) return ["(void)expected_error;"];
  const isBlock = word !== "one";
  const begin = (at: string): string => `trust[${at}1] = sg_start_distance(abundances${isBlock ? ` + i * ${S}` : ""});`;
  return [
    `float distance[SG_BLOCK]${isBlock && T === 0 ? "" : ", correction[SG_BLOCK]"};`,
    `float trust[${trustSize}${isBlock ? " * SG_BLOCK" : ""}] = {0.0f};`,
    ...(isBlock
      ? [`for (size_t i = 0; i < cells && expected_error != NULL; i++) ${begin(`i * ${trustSize} + `)}`]
      : [`if (expected_error != NULL) ${begin("")}`]),
  ];
}

/** The expected errors of a block of cells after step t. */
function trustOfBlock(P: number, T: number, trustSize: number, isEnsemble: boolean): string[] {
  return [
    "for (size_t i = 0; i < cells && expected_error != NULL; i++) {",
    "  uint32_t why = 0u;",
    `  sg_trust_see(trust + i * ${trustSize}, physical + (i * steps + t) * ${P}, distance[i]);`,
    ...(T > 0 ? [`  if (is_kept) sg_trust_correct(trust + i * ${trustSize}, correction[i]);`] : []),
    ...(isEnsemble ? [`  sg_trust_spread(trust + i * ${trustSize}, apart[i]);`] : []),
    `  expected_error[i * steps + t] = sg_trust_error(trust + i * ${trustSize}, &why);`,
    "  if (flags != NULL) flags[i] |= why;",
    "}",
  ];
}

/** Totals of a block of cells, a vector of them at once; of one as of a vector of the same. */
function conservedWidth({ name, species, conserved: { names } }: Description, { word, cells }: Width): string {
  const upper = name.toUpperCase();
  const [S, T] = [species.length, names.length];
  const head = "const float *restrict kept, float *restrict rows, float *correction, uint32_t *flags";
  if (word === "one") {
    return `static void sg_repeat(int count, const float *restrict row, float *restrict cells)
{
  for (int k = 0; k < count; k++) {
    for (int l = 0; l < SG_NARROW; l++) cells[k * SG_NARROW + l] = row[k];
  }
}

static void sg_totals_one(const float *restrict rows, float *restrict kept)
{
  float x[${S} * SG_NARROW], totals[${T} * SG_NARROW];
  sg_repeat(${S}, rows, x);
  sg_totals_narrow(x, totals);
  for (int k = 0; k < ${T}; k++) kept[k] = totals[k * SG_NARROW];
}

static void sg_conserve_one(${head})
{
  float x[${S} * SG_NARROW], totals[${T} * SG_NARROW];
  sg_repeat(${S}, rows, x);
  sg_repeat(${T}, kept, totals);
  sg_conserve_narrow(1, totals, x, correction, flags);
  for (int k = 0; k < ${S}; k++) rows[k] = x[k * SG_NARROW];
}`;
  }
  return `static void sg_totals_${word}(const float *restrict rows, float *restrict kept)
{
  for (size_t b = 0; b < ${cells}; b += SG_LANES) sg_totals_lanes(${cells}, rows + b, kept + b);
}

static void sg_conserve_${word}(size_t cells, ${head})
{
  for (size_t b = 0; b < cells; b += SG_LANES) {
    double residual[SG_LANES], mean[SG_LANES];
    sg_conserve_lanes(${cells}, kept + b, rows + b, residual, (correction == NULL) ? NULL : mean);
    for (size_t l = 0; l < SG_LANES && b + l < cells; l++) {
      const int is_met = residual[l] <= 1e-6;
      if (flags != NULL && !is_met) flags[b + l] |= ${upper}_NOT_CONSERVED;
      if (correction != NULL) correction[b + l] = is_met ? (float)(${Math.LOG10E} * mean[l]) : INFINITY;
    }
  }
}`;
}
