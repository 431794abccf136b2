import { cFloat } from "../../backend/c/elementwise.ts";
import { wrapped } from "../../backend/c/emit.ts";
import { type CheckVectors, checkTolerance } from "./check-vectors.ts";
import type { Description } from "./description.ts";
import { trustBit } from "./trust.ts";

/** `check.c`: computes the vectors again, for one cell, a few and more than a block, and says how far it is. */
export function checkC(about: Description, vectors: CheckVectors): string {
  const { name, carry, members } = about;
  const upper = name.toUpperCase();
  const none = members > 1 ? "NULL, " : "";
  const { cells, steps, shift, scale, span_dex } = vectors;
  const table = (of: string, values: ArrayLike<number>): string =>
    `static const float ${of}[] = {\n${wrapped(Array.from(values, cFloat))}\n};\n`;
  const bits = (of: string, values: readonly number[]): string =>
    `static const uint32_t ${of}[] = {${values.map((each) => `${each * trustBit}u`).join(", ")}};\n`;
  const doubles = (of: string, values: readonly number[]): string =>
    `static const double ${of}[] = {\n${wrapped(
      values.map((each) => each.toExponential()),
      4,
    )}\n};\n`;
  return `/* Written by astrochem. Compares ${name}.c with results of the program that wrote it, in scaled units: ends with 0 where they agree. */
#include "${name}.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS ${cells}
#define STEPS ${steps}
#define S ${upper}_SPECIES
#define P ${upper}_PARAMETERS
#define L ${upper}_LATENTS
#define T ${upper}_TOTALS

static const double tolerance = ${checkTolerance.toExponential()};

${[
  table("physical", vectors.physical),
  table("abundances", vectors.abundances),
  table("latents", vectors.latents),
  table("decoded", vectors.decoded),
  table("stepped", vectors.stepped),
  table("evolved", vectors.evolved),
  ...(vectors.spread ? [table("spreads", vectors.spread)] : []),
  table("doubtful", vectors.doubtful),
  table("sums", about.conserved.names.length > 0 ? vectors.totals : [0]),
  table("conserved", vectors.conserved),
  doubles("shift", shift),
  doubles("scale", scale),
  ...(vectors.trusted
    ? [
        table("near_physical", vectors.trusted.physical),
        table("near_abundances", vectors.trusted.abundances),
        table("expected_errors", vectors.trusted.expected),
        table("allowed_errors", vectors.trusted.allowed),
        bits("why", vectors.trusted.flags),
        bits("sure", vectors.trusted.sure),
      ]
    : []),
].join("\n")}
static const double span = ${span_dex.toExponential()};
static double worst = 0.0${vectors.trusted ? ", worst_error = 0.0" : ""};
static int failures = 0;

static void fail(const char *what)
{
  printf("FAILED: %s\\n", what);
  failures++;
}

static void compare(const char *what, double found, double expected, double far)
{
  double size = fabs(expected) > far ? fabs(expected) : far;
  double deviation = fabs(found - expected) / (size > 1.0 ? size : 1.0);
  if (deviation > worst) worst = deviation;
  if (!(deviation <= tolerance)) {
    printf("%s: %.9g in place of %.9g\\n", what, found, expected);
    fail(what);
  }
}

static void compare_abundances(const char *what, size_t count, const float *found, const float *expected)
{
  for (size_t k = 0; k < count && failures < 10; k++) {
    compare(what, log10((double)found[k]) / span, log10((double)expected[k]) / span, 0.0);
  }
}

static void compare_latents(const char *what, const float *found, const float *expected)
{
  for (size_t k = 0; k < L && failures < 10; k++) {
    compare(what, ((double)found[k] - shift[k]) / scale[k], ((double)expected[k] - shift[k]) / scale[k],
            fabs(shift[k] / scale[k]));
  }
}

/* Sizes, not single abundances: in random states some are left to differences of others. */
static void compare_totals(const float *found, const float *expected)
{
  float is[T + 1], should_be[T + 1];
  (void)${name}_totals(1, found, is);
  (void)${name}_totals(1, expected, should_be);
  for (size_t k = 0; k < T && failures < 10; k++) {
    if (strcmp(${name}_total((int)k), "charge") == 0) continue;
    if (!(fabs((double)is[k] - (double)should_be[k]) <= 1e-6 * fabs((double)should_be[k]))) fail("emulate does not keep a total");
  }
}

static void *reserve(size_t count)
{
  void *place = calloc(count, sizeof(float));
  if (place == NULL) {
    printf("no memory\\n");
    exit(1);
  }
  return place;
}

${vectors.trusted ? trustCheck(about) : uncalibrated(name, none)}
/* n cells, which repeat the vectors. */
static void check(size_t n)
{
  float *start = reserve(n * S), *drive = reserve(n * STEPS * P), *at = reserve(n * P), *z = reserve(n * L);
  float *x = reserve(n * S), *out = reserve(n * STEPS * S), *totals = reserve(n * T + 1);${carry > 0 ? `\n  float *carry = reserve(n * ${upper}_CARRY);` : ""}${members > 1 ? "\n  float *apart = reserve(n * STEPS);" : ""}
  uint32_t *flags = reserve(n), at_once[1];
  for (size_t i = 0; i < n; i++) {
    memcpy(start + i * S, abundances + (i % CELLS) * S, S * sizeof(float));
    memcpy(drive + i * STEPS * P, physical + (i % CELLS) * STEPS * P, STEPS * P * sizeof(float));
  }
  if (${name}_encode(n, start, z, flags) != ${upper}_OK) fail("encode returned an error");
  for (size_t i = 0; i < n; i++) compare_latents("encode", z + i * L, latents + (i % CELLS) * L);
  for (size_t i = 0; i < n; i++) memcpy(z + i * L, latents + (i % CELLS) * L, L * sizeof(float));
  if (${name}_decode(n, z, NULL, x, ${none}NULL) != ${upper}_OK) fail("decode returned an error");
  for (size_t i = 0; i < n; i++) compare_abundances("decode", S, x + i * S, decoded + (i % CELLS) * S);${
    carry > 0 ? `\n  if (${name}_start(n, z, carry) != ${upper}_OK) fail("start returned an error");` : ""
  }
  for (size_t t = 0; t < STEPS; t++) {
    for (size_t i = 0; i < n; i++) memcpy(at + i * P, drive + (i * STEPS + t) * P, P * sizeof(float));
    if (${name}_step(n, at, z, ${carry > 0 ? "carry, " : ""}flags) != ${upper}_OK) fail("step returned an error");
    for (size_t i = 0; i < n; i++) compare_latents("step", z + i * L, stepped + ((i % CELLS) * STEPS + t) * L);
  }
  if (${name}_emulate(n, STEPS, drive, start, ${upper}_AS_DECODED, out, NULL, ${members > 1 ? "apart, " : ""}flags) != ${upper}_OK) fail("emulate returned an error");
  for (size_t i = 0; i < n; i++) {
${members > 1 ? '    for (size_t t = 0; t < STEPS; t++) compare("spread", apart[i * STEPS + t] / span, spreads[(i % CELLS) * STEPS + t] / span, 0.0);\n' : ""}    compare_abundances("emulate", STEPS * S, out + i * STEPS * S, evolved + (i % CELLS) * STEPS * S);
  }
  if (${name}_emulate(n, STEPS, drive, start, 0, out, NULL, ${none}flags) != ${upper}_OK) fail("emulate returned an error");
  if (${name}_totals(n, start, totals) != ${upper}_OK) fail("totals returned an error");
  for (size_t i = 0; i < n && T > 0; i++) {
    for (size_t t = 0; t < STEPS; t++) {
      memcpy(x + i * S, evolved + ((i % CELLS) * STEPS + t) * S, S * sizeof(float));
      if (${name}_conserve(1, totals + i * T, x + i * S, NULL, at_once) != ${upper}_OK) fail("conserve returned an error");
      if (!at_once[0] && !flags[i]) compare_totals(x + i * S, out + (i * STEPS + t) * S);
    }
  }
  for (size_t i = 0; i < n; i++) {
    memcpy(x + i * S, doubtful + (i % CELLS) * S, S * sizeof(float));
    if (T > 0) memcpy(totals + i * T, sums + (i % CELLS) * T, T * sizeof(float));
  }
  if (${name}_conserve(n, totals, x, start, flags) != ${upper}_OK) fail("conserve returned an error");
  for (size_t i = 0; i < n; i++) {
    if (flags[i]) fail("totals cannot be had");
    compare_abundances("conserve", S, x + i * S, conserved + (i % CELLS) * S);
  }
  if (${name}_conserve(n, totals, x, start, flags) != ${upper}_OK) fail("conserve returned an error");
  for (size_t i = 0; i < n; i++) {
    if (!(start[i] < 1e-5f)) fail("what is conserved is corrected again");
  }
  for (size_t i = 0; i < n; i++) memcpy(z + i * L, latents + (i % CELLS) * L, L * sizeof(float));
  if (${name}_decode(n, z, NULL, start, ${none}flags) != ${upper}_OK) fail("decode returned an error");
  if (${name}_conserve(n, totals, start, NULL, flags) != ${upper}_OK) fail("conserve returned an error");
  if (${name}_decode(n, z, totals, x, ${none}flags) != ${upper}_OK) fail("decode returned an error");
  compare_abundances("decode with totals", n * S, x, start);
  for (size_t i = 0; i < n; i++) memcpy(start + i * S, abundances + (i % CELLS) * S, S * sizeof(float));

  /* The last cell gets what is to be flagged. */
  for (size_t k = 0; k < P; k++) {
    double lower, upper;
    if (${name}_parameter_range((int)k, &lower, &upper) != ${upper}_OK) fail("a parameter has no range");
    for (size_t i = 0; i < n; i++) at[i * P + k] = (float)lower;
  }
  at[n * P - 1] = (float)NAN;
  start[n * S - 1] = (float)NAN;
  start[(n - 1) * S] = 1e30f;
  if (${name}_encode(n, start, z, flags) != ${upper}_OK) fail("encode returned an error");
  if (flags[n - 1] != (${upper}_NOT_FINITE | ${upper}_CLIPPED)) fail("NaN and a clipped abundance are not flagged");
  for (size_t i = 0; i < n; i++) memcpy(z + i * L, latents, L * sizeof(float));
  if (${name}_step(n, at, z, ${carry > 0 ? "carry, " : ""}flags) != ${upper}_OK) fail("step returned an error");
  if (flags[n - 1] != ${upper}_NOT_FINITE || (n > 1 && flags[0] != 0)) fail("NaN is not flagged, or more is");
  for (size_t k = 0; k < P; k++) at[k] = -1e30f;
  if (${name}_step(n, at, z, ${carry > 0 ? "carry, " : ""}flags) != ${upper}_OK) fail("step returned an error");
  if (!(flags[0] & ${upper}_OUT_OF_RANGE)) fail("a condition outside of its range is not flagged");

  free(start), free(drive), free(at), free(z), free(x), free(out), free(totals), free(flags)${carry > 0 ? ", free(carry)" : ""}${members > 1 ? ", free(apart)" : ""};
}

int main(void)
{
  static float x_of_one[S];
  check(1);
  check(3);
  check(133);
  check_trust(1);
  check_trust(3);
  check_trust(133);
  if (${name}_encode(0, NULL, NULL, NULL) != ${upper}_OK) fail("no cells are an error");
  if (${name}_encode(1, NULL, NULL, NULL) != ${upper}_NULL_ARRAY) fail("NULL is no error");
  if (${name}_emulate(1, 1, physical, abundances, 2u, x_of_one, NULL, ${none}NULL) != ${upper}_BAD_OPTION) fail("an unknown option is no error");
  if (${name}_species(-1) != NULL || ${name}_species(S) != NULL) fail("there are more species than there should be");
  if (${name}_species_index(${name}_species(S - 1)) != S - 1) fail("a species is not found by its name");
  printf("%s: the largest deviation is %.1e in scaled units; %.0e is allowed\\n", failures ? "FAILED" : "ok", worst, tolerance);
${vectors.trusted ? `  printf("expected errors: the largest deviation is %.2g of what is allowed\\n", worst_error);\n` : ""}  return failures ? 1 : 0;
}
`;
}

/** Expected errors of the rollout, and of a program that steps by itself. */
function trustCheck({ name, carry, members }: Description): string {
  const upper = name.toUpperCase();
  const [none, apart] = members > 1 ? ["NULL, ", "apart, "] : ["", ""];
  const memory = carry > 0 ? "carry, " : "";
  return `static void compare_error(const char *what, double found, size_t k)
{
  double expected = (double)expected_errors[k];
  double deviation = fabs(found - expected) / (double)allowed_errors[k];
  if (deviation > worst_error) worst_error = deviation;
  if (!(deviation <= 1.0)) {
    printf("%s: %.9g dex in place of %.9g\\n", what, found, expected);
    fail(what);
  }
}

static void check_trust(size_t n)
{
  float *start = reserve(n * S), *drive = reserve(n * STEPS * P), *at = reserve(n * P), *z = reserve(n * L);
  float *x = reserve(n * S), *out = reserve(n * STEPS * S), *totals = reserve(n * T + 1), *error = reserve(n * STEPS);
  float *now = reserve(n), *correction = reserve(n), *trust = reserve(n * ${upper}_TRUST);${members > 1 ? "\n  float *apart = reserve(n);" : ""}${carry > 0 ? `\n  float *carry = reserve(n * ${upper}_CARRY);` : ""}
  uint32_t *flags = reserve(n), *told = reserve(n);
  for (size_t i = 0; i < n; i++) {
    memcpy(start + i * S, near_abundances + (i % CELLS) * S, S * sizeof(float));
    memcpy(drive + i * STEPS * P, near_physical + (i % CELLS) * STEPS * P, STEPS * P * sizeof(float));
  }
  if (${name}_emulate(n, STEPS, drive, start, 0, out, error, ${none}flags) != ${upper}_OK) fail("emulate returned an error");
  for (size_t k = 0; k < n * STEPS && failures < 10; k++) compare_error("emulate", error[k], k % (CELLS * STEPS));
  for (size_t i = 0; i < n; i++) {
    if ((flags[i] & sure[i % CELLS]) != (why[i % CELLS] & sure[i % CELLS])) fail("emulate tells other reasons");
  }
  if (${name}_totals(n, start, totals) != ${upper}_OK) fail("totals returned an error");
  if (${name}_encode(n, start, z, NULL) != ${upper}_OK) fail("encode returned an error");
  if (${name}_trust_begin(n, start, trust) != ${upper}_OK) fail("trust_begin returned an error");${
    carry > 0 ? `\n  if (${name}_start(n, z, carry) != ${upper}_OK) fail("start returned an error");` : ""
  }
  for (size_t t = 0; t < STEPS; t++) {
    for (size_t i = 0; i < n; i++) memcpy(at + i * P, drive + (i * STEPS + t) * P, P * sizeof(float));
    if (${name}_trust_step(n, at, z, trust, NULL, NULL) != ${upper}_OK) fail("trust_step returned an error");
    if (${name}_step(n, at, z, ${memory}NULL) != ${upper}_OK) fail("step returned an error");
    if (${name}_decode(n, z, NULL, x, ${apart}NULL) != ${upper}_OK) fail("decode returned an error");
    if (${name}_conserve(n, totals, x, correction, NULL) != ${upper}_OK) fail("conserve returned an error");
    if (${name}_trust_correct(n, correction, ${apart}trust, now, told) != ${upper}_OK) fail("trust_correct returned an error");
    for (size_t i = 0; i < n && failures < 10; i++) compare_error("trust_step", now[i], (i % CELLS) * STEPS + t);
  }
  /* What is no number, or outside, is not to be believed. */
  at[n * P - 1] = (float)NAN;
  start[(n - 1) * S] = (float)NAN;
  if (${name}_trust_step(n, at, z, trust, now, told) != ${upper}_OK || now[n - 1] != 20.0f) fail("NaN is believed");
  if (!(told[n - 1] & ${upper}_TRUST_CONDITIONS) || !(told[n - 1] & ${upper}_TRUST_DISTANCE)) fail("NaN is not flagged");
  if (${name}_trust_begin(n, start, trust) != ${upper}_OK || !(isinf(trust[(n - 1) * ${upper}_TRUST + 1]) || T == 0)) fail("a start that is NaN is believed");
  if (${name}_trust_begin(1, NULL, trust) != ${upper}_NULL_ARRAY || ${name}_trust_begin(0, NULL, NULL) != ${upper}_OK) fail("NULL");
  free(start), free(drive), free(at), free(z), free(x), free(out), free(totals), free(error), free(now), free(correction), free(trust);
  free(flags), free(told)${carry > 0 ? ", free(carry)" : ""}${members > 1 ? ", free(apart)" : ""};
}
`;
}

/** Where the weights are not calibrated. */
function uncalibrated(name: string, none: string): string {
  const upper = name.toUpperCase();
  return `static void check_trust(size_t n)
{
  float error[STEPS], trust[${upper}_TRUST], out[STEPS * S];
  (void)n;
  if (${name}_emulate(1, STEPS, physical, abundances, 0, out, error, ${none}NULL) != ${upper}_NOT_CALIBRATED) fail("an error is told");
  if (${name}_trust_begin(1, abundances, trust) != ${upper}_NOT_CALIBRATED) fail("an error is told");
  if (!isnan(${name}_trust_level())) fail("an error is told");
}
`;
}
