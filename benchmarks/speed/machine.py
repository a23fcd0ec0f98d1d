"""How fast the machine multiplies matrices: what training is measured against."""

import time

import torch

__all__ = ["matrix_rate"]

SIZE = 2048
REPEATS = 8


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measure products of large square matrices.

    Parameters
    ----------
    device, dtype
        Where, and of which numbers.

    Returns
    -------
    float
        Floating point operations per second, the best of several runs.
    """
    a = torch.randn(SIZE, SIZE, device=device, dtype=dtype)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        float((a @ a)[0, 0])  # waits for the device
        times.append(time.perf_counter() - began)
    return 2 * SIZE**3 / min(times)
