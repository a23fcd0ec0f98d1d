"""Run one function, and print what it gave and what it took: started by the benchmark, a process each.

python -m benchmarks.speed.worker MODULE FUNCTION '{"epochs": 3}' [IN.h5mu memory|disk]
"""

import importlib
import json
import sys
import warnings

import mudata
import torch

from benchmarks.machine import versions
from benchmarks.memory import megabytes


def main(module: str, function: str, arguments: str, source: str | None = None, where: str = "memory") -> None:
    """Print the result, how much memory the process held before and at its peak, and with what it ran."""
    warnings.simplefilter("ignore")
    run = getattr(importlib.import_module(module), function)
    read = [] if source is None else [mudata.read_h5mu(source, backed="r" if where == "disk" else None)]
    before = megabytes("VmRSS")
    result = run(*read, **json.loads(arguments))
    took = {"before": before, "peak": megabytes("VmHWM"), "threads": torch.get_num_threads(), "versions": versions()}
    print(json.dumps({"result": result, **took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
