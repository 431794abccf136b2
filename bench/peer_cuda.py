"""The peer's models (peer.py) on a CUDA device, their data on the card: median milliseconds of the cases named in gpu-cases' results.

Run: peer_cuda.py RESULTS. Results are copied back, as gpu-cases gives them back.
"""
import json
import os
import sys
import time

import torch

torch.set_default_device("cuda")
peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")
exec(open(peer).read().split("for line in sys.stdin")[0])

for line in open(sys.argv[1]):
    label = json.loads(line).get("label")
    if label is None:
        continue
    case, steps, batch = label.rsplit(" ", 2)
    torch.manual_seed(0)
    try:
        run = make(case, int(batch), int(steps))

        def once():
            out = run()
            if isinstance(out, torch.Tensor):
                out.cpu()
            torch.cuda.synchronize()

        once()
        times, until = [], time.perf_counter() + float(os.environ.get("SECONDS_EACH", "1"))
        while len(times) < 3 or (time.perf_counter() < until and len(times) < 200):
            started = time.perf_counter()
            once()
            times.append(1000 * (time.perf_counter() - started))
        result = {"ms": sorted(times)[len(times) // 2], "runs": len(times)}
    except Exception as error:
        result = {"failed": str(error)[:300]}
    print(json.dumps({"provider": "torch", "version": torch.__version__, "label": label, **result}), flush=True)
