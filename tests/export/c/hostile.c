/* Called by export-c.test.ts with the surrogate `gas`: what callers should not do, and threads. Writes a start and its states to stdout. */
#include "gas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S GAS_SPECIES
#define P GAS_PARAMETERS
#define L GAS_LATENTS
#define T GAS_TOTALS
#define C GAS_CARRY
#define CELLS 523 /* no multiple of any block */
#define STEPS 9

static float start[CELLS][S], physical[CELLS][STEPS][P], serial[CELLS][STEPS][S], threaded[CELLS][STEPS][S];
static float totals[CELLS][T], correction[CELLS], latents[CELLS][L], memory[CELLS][C];
static uint32_t flags[CELLS];

static void must(int holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "FAILED: %s\n", what);
  exit(1);
}

static void fill(void)
{
  const float usual[] = {2e-10f, 1e-10f, 1e-10f, 1e-10f, 7e-11f, 9e-11f};
  for (size_t i = 0; i < CELLS; i++) {
    for (size_t k = 0; k < S; k++) start[i][k] = usual[k] * (1.0f + 0.3f * (float)((i * 7 + k * 3) % 5));
    start[i][2] = start[i][3];
    for (size_t t = 0; t < STEPS; t++) {
      physical[i][t][0] = 1e3f * (float)(1 + (i + t) % 50);
      physical[i][t][1] = 100.0f;
      physical[i][t][2] = 1.0f + (float)t;
    }
  }
}

/* One kind of bad value in an abundance, a condition, a total: the cell is flagged, the others keep their bits. */
static void hostile(float value, uint32_t wanted)
{
  fill();
  start[77][1] = value;
  must(gas_emulate(CELLS, STEPS, &physical[0][0][0], &start[0][0], 0, &threaded[0][0][0], NULL, flags) == GAS_OK, "a bad value is an error");
  must((flags[77] & wanted) == wanted, "a bad value is not flagged");
  for (size_t i = 0; i < CELLS; i++) {
    if (i == 77) continue;
    must(memcmp(threaded[i], serial[i], sizeof serial[i]) == 0, "a bad value changes another cell");
    must(flags[i] == 0, "a good cell is flagged");
  }
  fill();
  physical[77][3][2] = value;
  must(gas_emulate(CELLS, STEPS, &physical[0][0][0], &start[0][0], 0, &threaded[0][0][0], NULL, flags) == GAS_OK, "a bad condition is an error");
  must(flags[77] != 0, "a bad condition is not flagged");
  fill();
  must(gas_totals(CELLS, &start[0][0], &totals[0][0]) == GAS_OK, "totals");
  totals[77][0] = value;
  memcpy(threaded, start, sizeof start);
  must(gas_conserve(CELLS, &totals[0][0], &start[0][0], correction, flags) == GAS_OK, "a bad total is an error");
  if (isnan(value) || isinf(value)) must(flags[77] & (GAS_NOT_FINITE | GAS_NOT_CONSERVED), "a bad total is not flagged");
}

int main(void)
{
  fill();
  must(gas_emulate(CELLS, STEPS, &physical[0][0][0], &start[0][0], 0, &serial[0][0][0], NULL, flags) == GAS_OK, "emulate");
  for (size_t i = 0; i < CELLS; i++) must(flags[i] == 0, "a good cell is flagged");
  fwrite(start[5], sizeof start[5], 1, stdout);
  fwrite(serial[5], sizeof serial[5], 1, stdout);

  int different = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : different) num_threads(4)
  for (int round = 0; round < 8; round++) {
    float(*own)[STEPS][S] = malloc(sizeof serial);
    gas_emulate(CELLS, STEPS, &physical[0][0][0], &start[0][0], 0, &own[0][0][0], NULL, NULL);
    different += memcmp(own, serial, sizeof serial) != 0;
    free(own);
  }
  must(!different, "threads get other bits");

  hostile(NAN, GAS_NOT_FINITE);
  hostile(INFINITY, GAS_NOT_FINITE);
  hostile(-INFINITY, GAS_NOT_FINITE);
  hostile(-1.0f, GAS_CLIPPED);
  hostile(0.0f, GAS_CLIPPED);
  hostile(1e-42f, GAS_CLIPPED);
  hostile(3e38f, GAS_CLIPPED);

  fill();
  must(gas_totals(CELLS, &start[0][0], &totals[0][0]) == GAS_OK, "totals");
  totals[3][1] = 0.0f; /* an element that is not asked for */
  start[3][0] = -1.0f;
  start[4][0] = 0.0f;
  must(gas_conserve(CELLS, &totals[0][0], &start[0][0], correction, flags) == GAS_OK, "conserve");
  must(flags[3] == GAS_CLIPPED, "a negative abundance is not told");
  for (size_t i = 0; i < CELLS; i++) {
    for (size_t k = 0; k < S; k++) must(start[i][k] >= 0.0f, "an abundance is negative");
  }
  fill();
  memset(start[9], 0, sizeof start[9]);
  must(gas_conserve(CELLS, &totals[0][0], &start[0][0], correction, flags) == GAS_OK, "conserve");
  must(start[9][0] == 0.0f, "nothing gets something");

  /* No cells, no steps, NULL. */
  must(gas_encode(0, NULL, NULL, NULL) == GAS_OK && gas_decode(0, NULL, NULL, NULL, NULL) == GAS_OK, "no cells");
  must(gas_step(0, NULL, NULL, NULL, NULL) == GAS_OK && gas_start(0, NULL, NULL) == GAS_OK, "no cells");
  must(gas_totals(0, NULL, NULL) == GAS_OK && gas_conserve(0, NULL, NULL, NULL, NULL) == GAS_OK, "no cells");
  must(gas_emulate(0, 3, NULL, NULL, 0, NULL, NULL, NULL) == GAS_OK, "no cells");
  must(gas_emulate(1, 0, &physical[0][0][0], &start[0][0], 0, &threaded[0][0][0], NULL, flags) == GAS_OK, "no steps");
  must(gas_decode(1, NULL, NULL, start[0], NULL) == GAS_NULL_ARRAY && gas_totals(1, NULL, totals[0]) == GAS_NULL_ARRAY, "NULL");
  must(gas_conserve(1, totals[0], NULL, NULL, NULL) == GAS_NULL_ARRAY && gas_encode(1, start[0], NULL, NULL) == GAS_NULL_ARRAY, "NULL");
  must(gas_step(1, NULL, latents[0], memory[0], NULL) == GAS_NULL_ARRAY, "NULL");
  must(gas_emulate(1, 1, NULL, start[0], 0, &threaded[0][0][0], NULL, NULL) == GAS_NULL_ARRAY, "NULL");
  must(gas_emulate(1, 1, NULL, start[0], 6u, &threaded[0][0][0], NULL, NULL) == GAS_BAD_OPTION, "an option");
  must(gas_total(-1) == NULL && gas_total(T) == NULL && strcmp(gas_total(T - 1), "charge") == 0, "names of totals");
  must(gas_parameter_range(P, NULL, NULL) == GAS_NULL_ARRAY && gas_species_index(NULL) == -1, "queries");
  return 0;
}
