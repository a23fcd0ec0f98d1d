"""Train one method on one file, and print what it took: started by the benchmark, a process each.

python -m benchmarks.speed.worker MODULE FUNCTION IN.h5mu '{"epochs": 3, "hidden_size": 256, "n_latent": 20}'
"""

import importlib
import json
import sys
import warnings

import mudata

from benchmarks.memory import megabytes


def main(module: str, function: str, source: str, arguments: str) -> None:
    """Print the rate of each epoch, and how much memory the process held before and at its peak."""
    warnings.simplefilter("ignore")
    run = getattr(importlib.import_module(f"benchmarks.speed.{module}"), function)
    mdata = mudata.read_h5mu(source)
    before = megabytes("VmRSS")
    rates = run(mdata, **json.loads(arguments))
    print(json.dumps({"rates": rates, "before": before, "peak": megabytes("VmHWM")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
