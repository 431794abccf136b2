/* A column of cells that an exported surrogate advances: OpenMP over chunks of cells, a solver where the surrogate is not to be trusted.
 *
 *   astrochem export c --weights weights/grav --output outputs/c
 *   cc -std=c99 -O3 -march=native -ffp-contract=fast -fopenmp -Ioutputs/c examples/c/column.c outputs/c/surrogate.c -lm -o column
 *   ./column 100000 10
 *
 * With MPI, each rank has its share of the column; the results have the same bits:
 *
 *   mpicc -DWITH_MPI ... (the same) ... -o column_mpi && mpirun -n 2 ./column_mpi 100000 10
 */
#define _POSIX_C_SOURCE 200112L
#include "surrogate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef WITH_MPI
#include <mpi.h>
#endif

enum { S = SURROGATE_SPECIES, P = SURROGATE_PARAMETERS, L = SURROGATE_LATENTS, T = SURROGATE_TOTALS, C = SURROGATE_CARRY };
/* Cells of a call: many make it fast. Shares begin at multiples of it, so that no result depends on their number. */
enum { CHUNK = 256 };

/* What a cell is flagged for that the solver is better at, and the expected error from which on it is, dex. */
static const uint32_t doubtful = SURROGATE_OUT_OF_RANGE | SURROGATE_NOT_FINITE;
static const float unreliable = 0.3f;

/* Here stands your solver: conditions[P], abundances[S] over one time step. This one lets nothing happen. */
static void solve(const float *conditions, float *abundances)
{
  (void)conditions, (void)abundances;
}

/* Conditions of a cell at a step, like those of the bundled collapses: denser and warmer along the column, dark and cold at first. Of the last
 * cells 4 % are never cold, which no trained trajectory was, and 1 % are denser than anything trained. */
static void conditions_of(size_t cell, size_t cells, size_t step, float *physical)
{
  static const struct {
    const char *name;
    double top, bottom, first;
  } column[] = {{"Density", 1.4e6, 5e6, 0.0}, {"Radfield", 1e-2, 1e-2, 1e-4}, {"Av", 25.0, 500.0, 0.0}, {"gasTemp", 35.0, 43.0, 13.3}};
  const double place = ((double)cell + 0.5) / (double)cells;
  for (int k = 0; k < P; k++) {
    double lower = 0.0, upper = 1.0;
    (void)surrogate_parameter_range(k, &lower, &upper);
    double value = (lower > 0.0) ? sqrt(lower * upper) : 0.5 * (lower + upper);
    for (size_t i = 0; i < sizeof column / sizeof column[0]; i++) {
      if (strcmp(surrogate_parameter(k), column[i].name) != 0) continue;
      value = column[i].top * pow(column[i].bottom / column[i].top, place);
      value *= 1.0 + 0.05 * sin(6.0 * place + 0.3 * (double)(step + (size_t)k));
      if (step == 0 && place < 0.95 && column[i].first > 0.0) value = column[i].first;
    }
    physical[k] = (float)((value < lower) ? lower : (value > upper) ? upper : value);
    if (k == 0 && place > 0.99) physical[k] = (float)(10.0 * upper);
  }
}

/* What UCLCHEM starts with: atoms and ions, half of the hydrogen in molecules. Other elements than the training's are expected to be far off. */
static void start_of(float *abundances)
{
  static const struct {
    const char *name;
    float abundance;
  } start[] = {{"H", 0.5f},       {"H2", 0.25f},     {"HE", 0.1f},      {"O", 3.34e-4f},   {"E-", 1.82324e-4f}, {"C+", 1.77e-4f},
               {"N", 6.18e-5f},   {"S+", 3.51e-6f},  {"MG", 2.256e-6f}, {"SI+", 1.78e-6f}, {"CL+", 3.39e-8f},   {"C", 1e-10f}};
  for (int k = 0; k < S; k++) abundances[k] = 1e-20f;
  for (size_t i = 0; i < sizeof start / sizeof start[0]; i++) {
    const int k = surrogate_species_index(start[i].name);
    if (k >= 0) abundances[k] = start[i].abundance;
  }
}

/* How many steps of cells the solver took, and how many of them for the flags. */
struct solved {
  unsigned long all, flagged;
};

/* Advances cells that lie together. */
static struct solved advance(size_t first, size_t n, size_t cells, size_t steps, float *abundances)
{
  float physical[CHUNK * P], latents[CHUNK * L], before[CHUNK * L], totals[CHUNK * T + 1];
  float trust[CHUNK * SURROGATE_TRUST], expected[CHUNK] = {0.0f};
  uint32_t flags[CHUNK];
  struct solved solved = {0, 0};
  (void)surrogate_totals(n, abundances, totals);
  (void)surrogate_encode(n, abundances, latents, NULL);
  /* Weights that are not calibrated return SURROGATE_NOT_CALIBRATED, and expect nothing. */
  (void)surrogate_trust_begin(n, abundances, trust);
#if SURROGATE_CARRY > 0
  float carry[CHUNK * SURROGATE_CARRY];
  (void)surrogate_start(n, latents, carry);
#endif
  for (size_t step = 0; step < steps; step++) {
    for (size_t i = 0; i < n; i++) conditions_of(first + i, cells, step, physical + i * P);
    memcpy(before, latents, n * L * sizeof(float));
    (void)surrogate_trust_step(n, physical, latents, trust, expected, NULL);
#if SURROGATE_CARRY > 0
    (void)surrogate_step(n, physical, latents, carry, flags);
#else
    (void)surrogate_step(n, physical, latents, flags);
#endif
    for (size_t i = 0; i < n; i++) {
      if (!(flags[i] & doubtful) && !(expected[i] > unreliable)) continue;
      float own[S];
      (void)surrogate_decode(1, before + i * L, totals + i * T, own, NULL);
      solve(physical + i * P, own);
      (void)surrogate_encode(1, own, latents + i * L, NULL);
      (void)surrogate_trust_begin(1, own, trust + i * SURROGATE_TRUST);
#if SURROGATE_CARRY > 0
      (void)surrogate_start(1, latents + i * L, carry + i * C);
#endif
      solved.all++;
      if (flags[i] & doubtful) solved.flagged++;
    }
  }
  (void)surrogate_decode(n, latents, totals, abundances, NULL);
  return solved;
}

/* A number that any other bit changes; sums of it do not depend on the order. */
static unsigned long hash_of(const float *abundances, size_t cell)
{
  unsigned long hash = 2166136261ul + (unsigned long)cell;
  for (int k = 0; k < S; k++) {
    uint32_t bits;
    memcpy(&bits, abundances + k, sizeof bits);
    hash = ((hash ^ bits) * 16777619ul) & 0xfffffffful;
  }
  return hash;
}

static double now(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
  int rank = 0, ranks = 1;
#ifdef WITH_MPI
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
#endif
  const size_t cells = (argc > 1) ? strtoul(argv[1], NULL, 10) : 100000;
  const size_t steps = (argc > 2) ? strtoul(argv[2], NULL, 10) : 10;
  const size_t chunks = (cells + CHUNK - 1) / CHUNK;
  const size_t from = chunks * (size_t)rank / (size_t)ranks, to = chunks * (size_t)(rank + 1) / (size_t)ranks;
  float *abundances = malloc(((to - from) * CHUNK + 1) * S * sizeof *abundances);
  if (abundances == NULL) {
    fprintf(stderr, "no memory\n");
    return 1;
  }
  float start[S];
  start_of(start);
  for (size_t i = 0; i < (to - from) * CHUNK; i++) memcpy(abundances + i * S, start, sizeof start);

  unsigned long all = 0, flagged = 0, hash = 0;
  const double started = now();
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : all, flagged, hash)
  for (long chunk = (long)from; chunk < (long)to; chunk++) {
    const size_t first = (size_t)chunk * CHUNK;
    const size_t n = (cells - first < CHUNK) ? cells - first : CHUNK;
    float *own = abundances + (first - from * CHUNK) * S;
    const struct solved solved = advance(first, n, cells, steps, own);
    all += solved.all;
    flagged += solved.flagged;
    for (size_t i = 0; i < n; i++) hash += hash_of(own + i * S, first + i);
  }
  double seconds = now() - started;
#ifdef WITH_MPI
  unsigned long sums[3] = {all, flagged, hash};
  MPI_Allreduce(MPI_IN_PLACE, sums, 3, MPI_UNSIGNED_LONG, MPI_SUM, MPI_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  all = sums[0], flagged = sums[1], hash = sums[2];
#endif
  if (rank == 0) {
    printf("%lu cells, %lu steps: %.0f cells/s (encode, all steps, decode)\n", (unsigned long)cells, (unsigned long)steps,
           (double)cells / seconds);
    printf("%lu of %lu steps of cells went to the solver: %lu flagged, ", all, (unsigned long)(cells * steps), flagged);
    if (isnan(surrogate_trust_level())) {
      printf("no errors are known (not calibrated)\n");
    } else {
      printf("%lu expected to be off by more than %g dex\n", all - flagged, (double)unreliable);
    }
    printf("checksum %lx\n", hash);
  }
  free(abundances);
#ifdef WITH_MPI
  MPI_Finalize();
#endif
  return 0;
}
