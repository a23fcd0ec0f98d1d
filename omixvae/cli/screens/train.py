"""What `omixvae train` shows."""

from pathlib import Path
from typing import Any

import mudata
from sklearn.metrics import adjusted_rand_score

from omixvae.model import OmixVAE
from omixvae.results.keys import Keys
from omixvae.summary import cluster_sizes, results_lines, summarise_results, summarise_training, training_lines

__all__ = ["lines", "summarise"]


def summarise(model: OmixVAE, mdata: mudata.MuData, output: Path | None, truth: str | None = None) -> dict[str, Any]:
    """Return how the training went, and what was written.

    Parameters
    ----------
    model
        The fitted model.
    mdata
        With its results, if any were written.
    output
        The file; None where only the model was kept.
    truth
        Column of obs with the true clusters, if they are known.

    Returns
    -------
    dict
        Plain types, for JSON and for `show`.
    """
    key = model.config.results.key_added
    sizes = None if output is None else cluster_sizes(mdata, key)
    summary = summarise_training(model.plan, model.history, int(mdata.n_obs), sizes)
    if sizes is not None and truth is not None:
        clusters = mdata.obs[Keys(key).cluster]
        summary["adjusted_rand_index"] = round(float(adjusted_rand_score(mdata.obs[truth], clusters)), 3)
    if output is None:
        return summary | {"keys": [], "output": None}
    return summary | summarise_results(mdata, key) | {"output": str(output)}


def lines(summary: dict[str, Any]) -> list[str]:
    """Write what `summarise` gave.

    Parameters
    ----------
    summary
        The summary.

    Returns
    -------
    list of str
        Line by line.
    """
    written = training_lines(summary)
    if "adjusted_rand_index" in summary:
        score = summary["adjusted_rand_index"]
        written.append(f"Adjusted Rand index of the clusters against the simulated truth: {score:.3f}")
    if summary["output"] is None:
        return [*written, "Saved the model; `omixvae annotate` writes its results into a file."]
    return [*written, *results_lines(summary["keys"], f"Wrote {summary['output']} with")]
