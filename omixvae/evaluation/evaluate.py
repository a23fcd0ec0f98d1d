"""How good is a trained model on these observations, typically ones that it was not trained on?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mudata
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from omixvae.data import MaskedModalities
from omixvae.data.columns import column_names, find_column
from omixvae.errors import InputError, nearest
from omixvae.evaluation.coverage import coverage_of
from omixvae.inference import information, log_likelihood
from omixvae.inference.skill import FEWEST_ROWS, MOST_ROWS, feature_means, rows_to_score, skill
from omixvae.training.split import split_of

if TYPE_CHECKING:
    from omixvae.model import OmixVAE

__all__ = ["MOST_EVALUATED", "SAMPLES", "Agreement", "Evaluation", "agreement", "evaluate"]

SAMPLES = 128
"""Importance samples: enough that the estimate moves by less than observations differ."""

MOST_EVALUATED = MOST_ROWS
"""As many as the training is judged by: what was held out of it gets the same figures."""


@dataclass(frozen=True)
class Agreement:
    """How well clusters agree with labels.

    Parameters
    ----------
    ari, nmi
        Adjusted Rand index and normalised mutual information; NaN without any label.
    n
        Observations that have both.
    """

    ari: float
    nmi: float
    n: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good a model is on some observations.

    Parameters
    ----------
    n
        Observations that were judged.
    log_likelihood
        Mean (``mean``, nats per observation), its standard error (``se``), and the number ``n`` of observations that it
        was averaged over. Row ``"all"``: of all that was measured. A row for each modality: of its values given the
        other modalities, in observations that have another one.
    information
        What each set of modalities tells (`omixvae.inference.information`).
    imputation
        A row for each modality, predicted from the others: ``n``; ``features`` that could be judged, and how many of
        them are ``better`` than their mean by more than two standard errors; ``r2``, the median; and the part of the
        measured values within limits of 50 % and of 90 %, ``within_50`` and ``within_90``.
    clusters
        Against the labels; None where none were asked for.
    """

    n: int
    log_likelihood: pd.DataFrame
    information: pd.DataFrame
    imputation: pd.DataFrame
    clusters: Agreement | None


def evaluate(
    model: "OmixVAE",
    mdata: mudata.MuData,
    *,
    labels_key: str | None = None,
    held_out: bool = False,
    n_samples: int = SAMPLES,
    most: int = MOST_EVALUATED,
    allow_missing_features: bool = False,
) -> Evaluation:
    """Judge a model by observations.

    Parameters
    ----------
    model
        A fitted model. It does not remember what it was trained on: if these observations were among them, it looks
        better than it is.
    mdata
        Any of the model's modalities, and some of their features, may be missing (see `OmixVAE.read`).
    labels_key
        Column of obs to compare the clusters with. The model does not look at it, even if it was trained with it.
    held_out
        `mdata` is what the model was trained on, unchanged: take only the observations that were held out, which the
        weights were not fitted to.
    n_samples
        Importance samples of the log-likelihood; the more, the closer (from below) to the truth.
    most
        Observations that are judged, a random choice if there are more.
    allow_missing_features
        Go on also where a modality has fewer than a fifth of the features that the model knows.

    Returns
    -------
    Evaluation
        Tables in nats per observation, and R².

    Raises
    ------
    InputError
        If there is nothing to judge by.

    Notes
    -----
    R² is that of `OmixVAE.imputation_skill`: on the scale that the encoder sees (standard units, or logged counts), and
    against the means of the training. Models of version 0.1.0 did not keep these, and are judged against the means of
    the observations at hand.

    Examples
    --------
    >>> import omixvae
    >>> model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60))
    >>> found = evaluate(model, omixvae.simulate(n_obs=20, seed=1), n_samples=4)
    >>> list(found.log_likelihood.index), found.n
    (['all', 'rna', 'protein'], 20)
    """
    labels = None if labels_key is None else _labels(mdata, labels_key)
    data = model.read(mdata, allow_missing_features=allow_missing_features)
    rng = np.random.default_rng(model.plan.seed)
    rows = _held_out(model, data) if held_out else np.flatnonzero(data.presence.any(axis=1))
    if not len(rows):
        raise InputError("No observation has any value.", "the MuData", "Give observations to judge the model by.")
    some = data.take(np.sort(rng.permutation(rows)[:most]))
    found = None
    if labels is not None:
        given = [name for name in model.schema.modalities if name != model.schema.labels_key]
        found = agreement(model.clusters(data, given)[0].iloc[rows], labels.iloc[rows])
    return Evaluation(
        some.n_obs,
        _evidence(model, some, n_samples),
        information(model.network, some, seed=model.plan.seed),
        pd.DataFrame.from_dict(
            {name: _imputation(model, data, s, rows, most) for s, name in enumerate(model.schema.modalities)},
            orient="index",
        ),
        found,
    )


def _labels(mdata: mudata.MuData, labels_key: str) -> "pd.Series[object]":
    labels = find_column(mdata, labels_key)
    if labels is None:
        raise InputError(
            f"There is no column {labels_key!r}.", "option labels_key", nearest(labels_key, column_names(mdata))
        )
    return labels


def _held_out(model: "OmixVAE", data: MaskedModalities) -> np.ndarray:
    """Return the observations that a training on these data holds out."""
    if not model.plan.held_out:
        raise InputError(
            "No observations were held out in the training.",
            "option held_out",
            "Leave the option out, and give observations that the model was not trained on.",
        )
    if model.held_out is None:  # an early version did not keep their names, and drew as this does
        return split_of(model.plan, data.presence).held_out_rows
    rows = pd.Index(data.obs_names.astype(str)).get_indexer(list(model.held_out))
    if (rows < 0).all():
        raise InputError(
            "None of the observations that were held out in the training are here.",
            "option held_out",
            "Give the data that the model was trained on, or leave the option out.",
        )
    return rows[rows >= 0]


def _evidence(model: "OmixVAE", data: MaskedModalities, n_samples: int) -> pd.DataFrame:
    """Tabulate log-likelihoods: of all, and of each modality given the others."""
    every = np.arange(len(data.tables))
    nothing = np.zeros(len(every), bool)

    def estimate(of: np.ndarray, given: np.ndarray) -> np.ndarray:
        return log_likelihood(model.network, data, of, given, n_samples, model.plan.seed)

    rows = {"all": _averaged(estimate(~nothing, nothing))}
    for s, name in enumerate(data.schema.modalities):
        both = data.presence[:, s] & (data.presence.sum(axis=1) > 1)
        rows[name] = _averaged(estimate(every == s, every != s)[both])
    return pd.DataFrame.from_dict(rows, orient="index")


def _averaged(values: np.ndarray) -> dict[str, float]:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
    return {"n": len(values), "mean": float(values.mean()) if len(values) else np.nan, "se": error}


def _imputation(model: "OmixVAE", data: MaskedModalities, s: int, rows: np.ndarray, most: int) -> dict[str, float]:
    network, seed = model.network, model.plan.seed
    chosen = rows_to_score(network, data.presence, rows, s, seed, most)
    found = {"n": len(chosen), "features": 0, "better": 0, "r2": np.nan, "within_50": np.nan, "within_90": np.nan}
    if len(chosen) < FEWEST_ROWS:
        return found
    mean = network.decoders[s].calibration.baseline
    if mean.isnan().all():
        mean = feature_means(network, network.likelihoods[s], data, chosen, s)
    r2, error = skill(network, data, s, chosen, mean, seed).double().cpu().numpy()
    within = coverage_of(model, data.take(np.sort(chosen)), s)["all"]
    return found | {
        "features": int(np.isfinite(r2).sum()),
        "better": int((r2 > 2 * error).sum()),
        "r2": float(np.nanmedian(r2)) if np.isfinite(r2).any() else np.nan,
        "within_50": float(within[0.5]),
        "within_90": float(within[0.9]),
    }


def agreement(clusters: "pd.Series[str]", labels: "pd.Series[object]") -> Agreement:
    """Compare clusters with labels.

    Parameters
    ----------
    clusters, labels
        One per observation, in the same order; those where one of them is missing do not count.

    Returns
    -------
    Agreement
        Adjusted Rand index and normalised mutual information.

    Examples
    --------
    >>> agreement(pd.Series(["0", "0", "1", "1"]), pd.Series(["a", "a", "b", None]))
    Agreement(ari=1.0, nmi=1.0, n=3)
    """
    known = labels.notna().to_numpy() & clusters.notna().to_numpy()
    if not known.any():
        return Agreement(np.nan, np.nan, 0)
    one, other = labels[known].astype(str), clusters[known].astype(str)
    ari, nmi = adjusted_rand_score(one, other), normalized_mutual_info_score(one, other)
    return Agreement(float(ari), float(nmi), int(known.sum()))
