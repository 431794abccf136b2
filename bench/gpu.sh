#!/usr/bin/env bash
# The golden numbers and the bench on a GPU (WebGPU), beside the CPU and PyTorch on the same machine; writes one JSON.
#   bench/gpu.sh pack FOLDER [DEB …]  puts what a machine without network needs into FOLDER (45 MB): Node, ONNX Runtime, bundles, the
#                                     golden numbers, this script; and Debian packages for there (libvulkan1 and what the driver wants)
#   FOLDER/gpu.sh run OUT.json        on that machine; THREADS, SECONDS_EACH, CASES as in gpu-cases.ts; STEPS chooses among golden webgpu cpu torch
#   bench/gpu.sh here OUT.json        both on this one
# Without a GPU it runs on a software one: VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json XDG_RUNTIME_DIR=/tmp (packages
# chromium, libvulkan1), with CASES and SECONDS_EACH small.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ort_library=bin/napi-v6/linux/x64

pack() {
  local to=$1 modules=$here/../node_modules
  shift
  rm -rf "$to" && mkdir -p "$to/ort/$ort_library" "$to/tests/fixtures" "$to/debs"
  local banner='import { createRequire as cr } from "node:module"; import { fileURLToPath as f } from "node:url"; import { dirname as d } from "node:path";
const require = cr(import.meta.url); const __filename = f(import.meta.url); const __dirname = d(__filename);'
  "$modules/.bin/esbuild" "$here/gpu-cases.ts" "$here/gpu-golden.ts" --bundle --platform=node --format=esm --minify-whitespace \
    --external:onnxruntime-node --out-extension:.js=.mjs --outdir="$to/bundle" --banner:js="$banner" --log-level=warning
  xz -T0 -c "$(command -v node)" >"$to/node.xz"
  cp -r "$modules/onnxruntime-node/"{dist,package.json} "$to/ort/"
  cp "$modules/onnxruntime-node/$ort_library/onnxruntime_binding.node" "$to/ort/$ort_library/"
  xz -T0 -c "$modules/onnxruntime-node/$ort_library/libonnxruntime.so.1" >"$to/ort/$ort_library/libonnxruntime.so.1.xz"
  mkdir "$to/common" && cp -r "$modules/onnxruntime-common/"{dist,package.json} "$to/common/" && rm -rf "$to/common/dist/"*.map "$to/common/dist/esm"
  cp -r "$here/../tests/fixtures/golden" "$to/tests/fixtures/"
  cp -r "$here/../utils" "$to/"
  cp "$here/../package.json" "$here/gpu.sh" "$here/peer.py" "$here/peer_cuda.py" "$to/"
  for deb; do cp "$deb" "$to/debs/"; done
}

run() {
  local out w results
  out=$(realpath -m "$1")
  w=$(mktemp -d)
  results=$w/results.jsonl
  for deb in "$here"/debs/*.deb; do [ -e "$deb" ] && dpkg -x "$deb" "$w/system"; done
  [ -d "$w/system" ] && export LD_LIBRARY_PATH=$w/system/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}
  # Containers may have NVIDIA's manifest where no loader looks.
  local manifest=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
  [ -e "$manifest" ] && export VK_DRIVER_FILES=${VK_DRIVER_FILES:-$manifest}
  export ORT_DISABLE_TELEMETRY=1 XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp} THREADS=${THREADS:-$(nproc)}
  xz -dc "$here/node.xz" >"$w/node" && chmod +x "$w/node"
  mkdir -p "$w/node_modules"
  cp -r "$here/ort" "$w/node_modules/onnxruntime-node"
  cp -r "$here/common" "$w/node_modules/onnxruntime-common"
  xz -d "$w/node_modules/onnxruntime-node/$ort_library/libonnxruntime.so.1.xz"
  cp -r "$here/bundle" "$here/tests" "$here/utils" "$here/package.json" "$w/"
  cd "$w"
  for step in ${STEPS:-golden webgpu cpu torch}; do
    case $step in
      golden) each "${LIMIT:-600}" ./node bundle/gpu-golden.mjs webgpu ;;
      webgpu | cpu) each "${LIMIT:-600}" ./node bundle/gpu-cases.mjs "$step" ;;
      torch) python3 -c "import torch; torch.zeros(1).cuda()" 2>/dev/null && each 600 python3 "$here/peer_cuda.py" "$results" || echo "no PyTorch with CUDA here" ;;
    esac
  done
  ./node -e '
    const [results, out, card] = process.argv.slice(1);
    const lines = fs.readFileSync(results, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
    fs.writeFileSync(out, JSON.stringify({ card, cpu: os.cpus()[0].model, threads: process.env.THREADS, lines }, null, 1));
  ' "$results" "$out" "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo "${VK_DRIVER_FILES:-unknown}")"
  rm -rf "$w"
}

# each SECONDS COMMAND …: shows its lines and keeps those that are JSON; a command that fails ends nothing else.
each() {
  timeout "$1" "${@:2}" 2>"$w/errors" | tee /dev/stderr | grep '^{' >>"$w/new" || { echo "FAILED: ${*:2}"; tail -3 "$w/errors"; }
  cat "$w/new" >>"$results" 2>/dev/null || true
  rm -f "$w/new"
}

case ${1:-} in
  pack) pack "$(realpath -m "$2")" "${@:3}" ;;
  run) run "$2" ;;
  here)
    packed=$(mktemp -d)
    pack "$packed" && bash "$packed/gpu.sh" run "$2"
    rm -rf "$packed"
    ;;
  *) sed -n '2,8s/^# \?//p' "$0" && exit 2 ;;
esac
