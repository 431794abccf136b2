#!/usr/bin/env bash
# How near a sweep on this machine comes to the ideal division of its work: `npm run build && bench/sweep.sh [overrides]`.
# The points of a sweep of 8 seeds x 2 evolvers, a core each: processor time of all processes / (cores x wall time), start-ups, the
# waiting of the last point and the results included. SERIAL=1 runs them one after the other as well, SEEDS=2 fewer. Needs a quiet machine.
set -euo pipefail
program="node $(cd "$(dirname "$0")/.." && pwd)/dist/cli.js"
cores=$(nproc)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
quiet() { "$@" >>log 2>&1 || { tail -20 log; exit 1; }; }
quiet $program preprocess dataset=sample
quiet $program train-autoencoder dataset=sample model=autoencoder_sample model.max_epochs=5 threads=1
sweep() {
  quiet $program train-emulator -m dataset=sample autoencoder=autoencoder_sample model=emulator_sample,latent_rnn \
    "seed=range(0,${SEEDS:-8})" model.window_size=48 calibrate=false threads=1 launcher.jobs="$1" run_dir="jobs-$1" "${@:2}"
}
TIMEFORMAT='%R %U %S'
measure() {
  { time sweep "$@"; } 2>time
  awk -v jobs="$1" '{ printf "%d at a time: %.1f s, processor %.1f s, of %d cores %.3f, wall / (processor / cores) %.3f\n", jobs, $1, $2 + $3, jobs, ($2 + $3) / $1 / jobs, $1 * jobs / ($2 + $3) }' time
}
quiet $program train-emulator dataset=sample autoencoder=autoencoder_sample model=emulator_sample model.window_size=48 \
  mode=preprocess threads=1
measure "$cores" "$@"
[ -z "${SERIAL:-}" ] || measure 1 "$@"
