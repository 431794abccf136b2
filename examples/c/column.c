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

/* What a cell is flagged for that the solver is better at. */
static const uint32_t doubtful = SURROGATE_OUT_OF_RANGE | SURROGATE_NOT_FINITE;

/* Here stands your solver: conditions[P], abundances[S] over one time step. This one lets nothing happen. */
static void solve(const float *conditions, float *abundances)
{
  (void)conditions, (void)abundances;
}

/* Conditions of a cell at a step: each rises through its range along the column; the last cells are denser than anything trained. */
static void conditions_of(size_t cell, size_t cells, size_t step, float *physical)
{
  const double place = ((double)cell + 0.5) / (double)cells;
  for (int k = 0; k < P; k++) {
    double lower = 0.0, upper = 1.0;
    (void)surrogate_parameter_range(k, &lower, &upper);
    const double wave = place + 0.05 * sin(6.0 * place + 0.3 * (double)(step + (size_t)k));
    const double inside = (wave < 0.01) ? 0.01 : (wave > 0.99) ? 0.99 : wave;
    physical[k] = (float)((lower > 0.0) ? lower * pow(upper / lower, inside) : lower + (upper - lower) * inside);
    if (k == 0 && place > 0.99) physical[k] = (float)(10.0 * upper);
  }
}

/* Molecular hydrogen, the rest in ions and atoms. */
static void start_of(float *abundances)
{
  static const struct {
    const char *name;
    float abundance;
  } start[] = {{"H2", 0.5f}, {"HE", 0.1f}, {"O", 3.2e-4f}, {"C+", 1.4e-4f}, {"E-", 1.4e-4f}, {"N", 6.5e-5f}, {"S+", 3.5e-6f}};
  for (int k = 0; k < S; k++) abundances[k] = 1e-12f;
  for (size_t i = 0; i < sizeof start / sizeof start[0]; i++) {
    const int k = surrogate_species_index(start[i].name);
    if (k >= 0) abundances[k] = start[i].abundance;
  }
}

/* Advances cells that lie together; returns how many steps of theirs the solver took. */
static size_t advance(size_t first, size_t n, size_t cells, size_t steps, float *abundances)
{
  float physical[CHUNK * P], latents[CHUNK * L], before[CHUNK * L], totals[CHUNK * T + 1];
  uint32_t flags[CHUNK];
  size_t solved = 0;
  (void)surrogate_totals(n, abundances, totals);
  (void)surrogate_encode(n, abundances, latents, NULL);
#if SURROGATE_CARRY > 0
  float carry[CHUNK * SURROGATE_CARRY];
  (void)surrogate_start(n, latents, carry);
#endif
  for (size_t step = 0; step < steps; step++) {
    for (size_t i = 0; i < n; i++) conditions_of(first + i, cells, step, physical + i * P);
    memcpy(before, latents, n * L * sizeof(float));
#if SURROGATE_CARRY > 0
    (void)surrogate_step(n, physical, latents, carry, flags);
#else
    (void)surrogate_step(n, physical, latents, flags);
#endif
    for (size_t i = 0; i < n; i++) {
      if (!(flags[i] & doubtful)) continue;
      float own[S];
      (void)surrogate_decode(1, before + i * L, totals + i * T, own, NULL);
      solve(physical + i * P, own);
      (void)surrogate_encode(1, own, latents + i * L, NULL);
#if SURROGATE_CARRY > 0
      (void)surrogate_start(1, latents + i * L, carry + i * C);
#endif
      solved++;
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

  unsigned long solved = 0, hash = 0;
  const double started = now();
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : solved, hash)
  for (long chunk = (long)from; chunk < (long)to; chunk++) {
    const size_t first = (size_t)chunk * CHUNK;
    const size_t n = (cells - first < CHUNK) ? cells - first : CHUNK;
    float *own = abundances + (first - from * CHUNK) * S;
    solved += advance(first, n, cells, steps, own);
    for (size_t i = 0; i < n; i++) hash += hash_of(own + i * S, first + i);
  }
  double seconds = now() - started;
#ifdef WITH_MPI
  unsigned long sums[2] = {solved, hash};
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_UNSIGNED_LONG, MPI_SUM, MPI_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  solved = sums[0], hash = sums[1];
#endif
  if (rank == 0) {
    printf("%lu cells, %lu steps: %.0f cells/s (encode, all steps, decode)\n", (unsigned long)cells, (unsigned long)steps,
           (double)cells / seconds);
    printf("%lu of %lu steps of cells went to the solver\n", solved, (unsigned long)(cells * steps));
    printf("checksum %lx\n", hash);
  }
  free(abundances);
#ifdef WITH_MPI
  MPI_Finalize();
#endif
  return 0;
}
