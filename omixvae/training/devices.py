"""Where to compute, and with which numbers."""

import torch

from omixvae.errors import InputError

__all__ = ["resolve_device"]


def resolve_device(word: str) -> torch.device:
    """Find the device that a word names.

    Parameters
    ----------
    word
        ``"auto"`` (a CUDA GPU if there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Returns
    -------
    torch.device
        It is there.

    Raises
    ------
    InputError
        If this machine, or this build of PyTorch, does not have it.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if word == "auto":
        return torch.device("cuda" if there["cuda"] else "cpu")
    if not there[word]:
        names = " or ".join(f"device={name}" for name, is_there in there.items() if is_there)
        raise InputError(
            f"There is no device {word!r} on this machine.", "option device (--device)", f"Use device=auto or {names}."
        )
    return torch.device(word)
