/* The exported C in the bench (c-path.ts); with `cpu` it counts the time of its processors. Each line in is "case batch steps threads runs", each line out the milliseconds of each run. */
#define _POSIX_C_SOURCE 199309L
#include "surrogate.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S SURROGATE_SPECIES
#define L SURROGATE_LATENTS
#define P SURROGATE_PARAMETERS

static clockid_t clock_of = CLOCK_MONOTONIC;

static double now(void)
{
  struct timespec t;
  clock_gettime(clock_of, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static float *abundances, *latents, *start, *physical, *made;

static void some(char kind, size_t from, size_t n, size_t batch, size_t steps)
{
  switch (kind) {
    case 'e': /* encode */
      surrogate_encode(n, abundances + from * S, latents + from * L, NULL);
      break;
    case 'd': /* decode */
      surrogate_decode(n, start + from * L, NULL, made + from * S, NULL);
      break;
    case 'r': /* rollout */
      memcpy(latents + from * L, start + from * L, n * L * sizeof(float));
      for (size_t t = 0; t < steps; t++) {
        surrogate_step(n, physical + (t * batch + from) * P, latents + from * L, NULL);
        memcpy(made + (t * batch + from) * L, latents + from * L, n * L * sizeof(float));
      }
      break;
    case 'b': /* both: rollout and decode */
      surrogate_emulate(n, steps, physical + from * steps * P, abundances + from * S, SURROGATE_AS_DECODED, made + from * steps * S, NULL, NULL);
      break;
    default: /* a column of cells */
      surrogate_encode(n, abundances + from * S, latents + from * L, NULL);
      surrogate_step(n, physical + from * P, latents + from * L, NULL);
      surrogate_decode(n, latents + from * L, NULL, made + from * S, NULL);
  }
}

static float *filled(size_t count, float low, float high)
{
  float *x = malloc(count * sizeof(float));
  for (size_t k = 0; k < count; k++) x[k] = low + (high - low) * (float)(rand() % 1000) / 1000.0f;
  return x;
}

int main(int count, char **words)
{
  char kind[2];
  unsigned long batch, steps, threads, runs;
  if (count > 1 && strcmp(words[1], "cpu") == 0) clock_of = CLOCK_PROCESS_CPUTIME_ID;
  while (scanf("%1s %lu %lu %lu %lu", kind, &batch, &steps, &threads, &runs) == 5) {
    const size_t width = *kind == 'r' ? L : S, deep = (*kind == 'r' || *kind == 'b') ? steps : 1;
    /* Parts of a few blocks, but one for each thread at least. */
    const size_t share = ((batch + threads - 1) / threads + 15) / 16 * 16, part = share < 256 ? share : 256;
    abundances = filled(batch * S, 1e-12f, 1e-6f);
    start = filled(batch * L, 0.0f, 1.0f);
    latents = filled(batch * L, 0.0f, 1.0f);
    physical = filled(batch * deep * P, 1.0f, 10.0f);
    made = calloc(batch * deep * width, sizeof(float));
    for (unsigned long k = 0; k <= runs; k++) {
      const double started = now();
#pragma omp parallel for schedule(dynamic) num_threads((int)threads)
      for (size_t from = 0; from < batch; from += part) {
        some(*kind, from, batch - from < part ? batch - from : part, batch, steps);
      }
      if (k > 0) printf("%.6f ", now() - started);
    }
    printf("\n");
    fflush(stdout);
    free(abundances), free(start), free(latents), free(physical), free(made);
  }
  return 0;
}
