"""What a model says of itself and of its training: in Python, in a notebook, and on the command line."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import mudata

from omixvae.config import Config
from omixvae.fitted import Fitted
from omixvae.plan import Plan
from omixvae.results.keys import AXES, AXES_OF_MODALITY, Keys
from omixvae.training.schedule import History

__all__ = [
    "as_html",
    "as_text",
    "cluster_sizes",
    "results_lines",
    "summarise_results",
    "summarise_training",
    "training_lines",
]


def summarise_training(plan: Plan, history: History, n_obs: int, sizes: dict[str, int] | None = None) -> dict[str, Any]:
    """Tabulate how the training went.

    Parameters
    ----------
    plan, history
        What was done, and how it went.
    n_obs
        Observations.
    sizes
        Observations of each cluster, if they are known.

    Returns
    -------
    dict
        Plain types, for JSON and for `training_lines`.
    """
    summary: dict[str, Any] = {
        "modalities": {m.name: m.likelihood for m in plan.modalities},
        "epochs": len(history),
        "seconds": round(history[-1].seconds, 1),
        "held_out_bound": _held_out_bound(plan, history),
        "observations": n_obs,
    }
    return summary if sizes is None else summary | {"clusters": sizes}


def _held_out_bound(plan: Plan, history: History) -> float | None:
    """Take the best since the prior is the one of the model: before, bounds are those of another model."""
    held_out = (row.held_out_bound for row in history[plan.prior_epoch :])
    return max((bound for bound in held_out if math.isfinite(bound)), default=None)


def summarise_results(mdata: mudata.MuData, key_added: str) -> dict[str, Any]:
    """List what was written.

    Parameters
    ----------
    mdata
        With its results.
    key_added
        The option of that name.

    Returns
    -------
    dict
        Plain types, for JSON and for `results_lines`.
    """
    keys = Keys(key_added)
    written = [f'{axis}["{name}"]' for axis in AXES for name in keys.among(getattr(mdata, axis), axis)]
    for mod, adata in mdata.mod.items():
        for axis in AXES_OF_MODALITY:
            names = keys.among(getattr(adata, axis), axis, of_modality=True)
            written += [f'["{mod}"].{axis}["{name}"]' for name in names]
    return {"observations": int(mdata.n_obs), "keys": [*written, f'uns["{keys.added}"]']}


def cluster_sizes(mdata: mudata.MuData, key_added: str) -> dict[str, int] | None:
    """Count the observations of each cluster.

    Parameters
    ----------
    mdata
        With its results.
    key_added
        The option of that name.

    Returns
    -------
    dict or None
        Cluster to number; None where there are no clusters.
    """
    clusters = mdata.obs.get(Keys(key_added).cluster)
    return None if clusters is None else {str(name): int(n) for name, n in clusters.value_counts(sort=False).items()}


def training_lines(summary: dict[str, Any]) -> list[str]:
    """Write what `summarise_training` gave.

    Parameters
    ----------
    summary
        The summary.

    Returns
    -------
    list of str
        Sentences, one a line.

    Examples
    --------
    >>> facts = {"observations": 90, "modalities": {"rna": "poisson"}, "seconds": 1.5, "epochs": 160}
    >>> training_lines(facts | {"clusters": {"0": 60, "1": 30}})
    ['Trained on 90 observations of rna (poisson) in 1.5 s, 160 epochs.', '2 clusters of 60, 30 observations.']
    """
    likelihoods = ", ".join(f"{name} ({word})" for name, word in summary["modalities"].items())
    lines = [
        f"Trained on {summary['observations']:,} observations of {likelihoods} "
        f"in {summary['seconds']} s, {summary['epochs']} epochs."
    ]
    if "clusters" in summary:
        sizes, n = ", ".join(f"{n:,}" for n in summary["clusters"].values()), len(summary["clusters"])
        lines.append(f"{n} cluster{'s' if n > 1 else ''} of {sizes} observations.")
    return lines


def results_lines(keys: Sequence[str], head: str) -> list[str]:
    """Write what `summarise_results` gave.

    Parameters
    ----------
    keys
        Where results stand.
    head
        The line above them.

    Returns
    -------
    list of str
        One line each.
    """
    return [head, *(f"  {name}" for name in keys)]


def as_text(config: Config, fitted: Fitted | None) -> str:
    """Write what a model is, for `print`.

    Parameters
    ----------
    config
        What was asked for.
    fitted
        What came of it; None before the training.

    Returns
    -------
    str
        A few lines.
    """
    rows = [f"  {name}: {size:,} features, {word}" for name, size, word in _modalities(fitted)]
    options = _options(config)
    return "\n".join([f"OmixVAE, {_state(fitted)}", *rows, *([f"  options: {options}"] if options else [])])


def as_html(config: Config, fitted: Fitted | None) -> str:
    """Write what a model is, for a notebook.

    Parameters
    ----------
    config, fitted
        As for `as_text`.

    Returns
    -------
    str
        HTML; names are escaped.
    """
    cells = (
        f"<tr><td>{escape(name)}</td><td>{size:,}</td><td>{escape(word)}</td></tr>"
        for name, size, word in _modalities(fitted)
    )
    head = "<tr><th>modality</th><th>features</th><th>likelihood</th></tr>"
    table = "" if fitted is None else f"<table>{head}{''.join(cells)}</table>"
    options = _options(config)
    line = f"<div>options: <code>{escape(options)}</code></div>" if options else ""
    return f"<div><b>OmixVAE</b>, {escape(_state(fitted))}{table}{line}</div>"


def _state(fitted: Fitted | None) -> str:
    if fitted is None:
        return "not trained yet: fit(mdata) does it"
    plan, history = fitted.plan, fitted.history
    on = f" on {plan.n_obs:,} observations" if plan.n_obs else ""
    bound = _held_out_bound(plan, history)
    what, value = ("bound", history[-1].bound) if bound is None else ("held-out bound", bound)
    return f"trained{on}: {len(history)} epochs in {history[-1].seconds:.1f} s, {what} {value:,.1f} nats"


def _modalities(fitted: Fitted | None) -> list[tuple[str, int, str]]:
    return [] if fitted is None else [(m.name, m.n_features, m.likelihood) for m in fitted.plan.modalities]


def _options(config: Config) -> str:
    """Write the options that are not as they would be anyway."""
    defaults = Config().to_options()
    return ", ".join(f"{k}={v!r}" for k, v in config.to_options().items() if v != defaults[k])
