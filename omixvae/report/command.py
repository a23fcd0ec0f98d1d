"""The command that repeats a training."""

import shlex
from collections.abc import Mapping

from omixvae.config import Config, affecting

__all__ = ["command_line"]


def command_line(options: Mapping[str, object]) -> str:
    """Write the command that trains in the same way.

    Parameters
    ----------
    options
        As `Config.to_options` gives them.

    Returns
    -------
    str
        Options that are as they would be anyway are left out, but for the seed.

    Examples
    --------
    >>> command_line({"n_latent": 8, "likelihoods": {"rna": "poisson"}, "early_stopping": False, "seed": 0})
    'omixvae train IN.h5mu -o OUT.h5mu --model DIR --n-latent 8 --likelihoods rna=poisson --no-early-stopping --seed 0'
    """
    defaults, free = Config().to_options(), affecting("machine", "screen")
    words = ["omixvae", "train", "IN.h5mu", "-o", "OUT.h5mu", "--model", "DIR"]
    for name, value in options.items():
        if name == "seed" or (value != defaults[name] and name not in free):
            words += _words(name.replace("_", "-"), value)
    return shlex.join(words)


def _words(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, Mapping):
        return [f"--{name}", ",".join(f"{k}={v}" for k, v in value.items())]
    return [f"--{name}", ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)]
