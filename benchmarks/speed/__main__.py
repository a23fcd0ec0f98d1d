"""Time and memory of training, each figure from a process of its own.

    python -m benchmarks.speed throughput [cite multiome]     cells per second, beside peers
    python -m benchmarks.speed quality --data FOLDER          time to the final held-out bound, beside totalVI
    python -m benchmarks.speed scaling [--vary cells]         time and memory against size
    python -m benchmarks.speed disk [--cells 1000000]         training from a file, and from memory
    python -m benchmarks.speed cohorts --data FOLDER          time of small data sets
    python -m benchmarks.speed memory FILE...                 peak memory over that of the data

Each prints tables, and writes them with -o FILE.json, where machine, versions, commit and options stand, too. Ratios
hold within one run.
"""

import click

from benchmarks.speed.disk import disk
from benchmarks.speed.files import cohorts, memory
from benchmarks.speed.quality import quality
from benchmarks.speed.scaling import scaling
from benchmarks.speed.throughput import throughput


@click.group()
def main() -> None:
    """Measure time and memory of training."""


for command in (throughput, quality, scaling, disk, cohorts, memory):
    main.add_command(command)

if __name__ == "__main__":
    main()
