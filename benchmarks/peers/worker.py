"""Run one method on one file, and write what it gives with its cost: started by the benchmark, a process each.

python -m benchmarks.peers.worker MODULE FUNCTION IN.h5mu OUT.npz '{"seed": 0}'
"""

import importlib
import json
import sys
import time
import warnings

import mudata
import numpy as np

from benchmarks.memory import megabytes


def main(module: str, function: str, source: str, out: str, arguments: str) -> None:
    """Call the method, and keep what it gave."""
    warnings.simplefilter("ignore")
    run = getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)
    mdata = mudata.read_h5mu(source)
    began = time.perf_counter()
    outcome = run(mdata, **json.loads(arguments))
    arrays = {f"value:{name}": values for name, values in outcome.values.items()}
    arrays |= {f"limits:{name}": limits for name, limits in outcome.limits.items()}
    arrays |= {name: a for name in ("latent", "draw", "clusters") if (a := getattr(outcome, name)) is not None}
    seconds = time.perf_counter() - began
    np.savez(out, seconds=seconds, megabytes=megabytes("VmHWM"), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
