"""What a user holds: `OmixVAE`, and the one-line calls `fit` and `load`."""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias, Unpack

import mudata
import numpy as np
import pandas as pd
from torch import nn

from omixvae import inference
from omixvae.bounds import Bound
from omixvae.config import Config
from omixvae.data import MaskedModalities, Schema, from_mudata
from omixvae.data.doubts import find_doubts, warn_of
from omixvae.data.symbols import feature_positions
from omixvae.devices import is_there, resolve_device
from omixvae.encoders import Aggregation
from omixvae.errors import InputError, NotFittedError, nearest, raise_together
from omixvae.files import check_no_model
from omixvae.fitted import Fitted, read_model, save_model
from omixvae.keywords import Options, with_options
from omixvae.likelihoods import LIKELIHOODS, Likelihood
from omixvae.likelihoods.choice import refusal
from omixvae.mudata_io import check_takes_results
from omixvae.options import as_names
from omixvae.own_modules import OwnModules, name_of, words_and_own
from omixvae.plan import Plan, make_plan
from omixvae.priors import Prior
from omixvae.processes import Processes, join_processes
from omixvae.results.annotate import CLUSTER_SAMPLES, IMPUTATION_SAMPLES, annotate, check_free
from omixvae.results.stream import stream_prediction
from omixvae.sources import Source, as_mudata
from omixvae.summary import (
    as_html,
    as_text,
    cluster_sizes,
    results_lines,
    summarise_results,
    summarise_training,
    training_lines,
)
from omixvae.training.checkpoint import Checkpoint, Setting
from omixvae.training.engine import train
from omixvae.training.fit import fit_network
from omixvae.training.progress import TrainingProgress, show_lines
from omixvae.training.schedule import History
from omixvae.training.split import split_of
from omixvae.training.state import Snapshot
from omixvae.training.stopping import train_resumably
from omixvae.vae import MultimodalVAE

__all__ = ["OmixVAE", "fit", "load"]

Observations: TypeAlias = Source | MaskedModalities
"""What questions are asked about: MuData, anything `omixvae.read` takes, or the result of `OmixVAE.read`."""

LIKELIHOOD_SAMPLES = 512
INTERVAL_SAMPLES = 200
MULTIPLE_IMPUTATIONS = 20


@with_options
class OmixVAE:
    """A multi-modal variational autoencoder for the omics of the same samples, some of them missing.

    Parameters
    ----------
    encoders, decoders
        Networks of your own for some modalities, by name; see `fit`.
    **options
        The options of a run, by name; `fit` explains each.

    Attributes
    ----------
    config
        What was asked for.
    mdata
        What `fit` and `annotate` have read, where they were given something else than a MuData; neither saved nor
        pickled.

    Raises
    ------
    InputError
        If an option is not known or its value is not allowed.

    Examples
    --------
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(mdata)
    >>> model.annotate(mdata)
    >>> mdata.obsm["X_omixvae"].shape
    (60, 15)
    """

    mdata: mudata.MuData | None = None

    def __init__(
        self,
        *unnamed: object,
        encoders: Mapping[str, nn.Module] | None = None,
        decoders: Mapping[str, nn.Module] | None = None,
        **options: Unpack[Options],
    ) -> None:
        if unnamed:
            raise InputError(
                "OmixVAE takes keyword arguments only.",
                "the call of OmixVAE",
                "Write OmixVAE(n_latent=10).fit(mdata): the data go to fit.",
            )
        words, own = words_and_own(options)
        self.config = Config.from_options(**words)
        self.own = OwnModules(encoders or {}, decoders or {}, **own)
        self._fitted: Fitted | None = None
        self._doubts: list[InputError] = []

    @property
    def plan(self) -> Plan:
        """What was done, every "auto" decided, with the reasons in ``plan.reasons`` (after `fit`)."""
        return self._trained().plan

    @property
    def schema(self) -> Schema:
        """Names of the features, and how covariates were encoded (after `fit`)."""
        return self._trained().schema

    @property
    def history(self) -> History:
        """One row per epoch (after `fit`)."""
        return self._trained().history

    @property
    def held_out(self) -> tuple[str, ...] | None:
        """Names of the held-out observations, by which the training was judged; None in models of early versions."""
        return self._trained().held_out

    @property
    def network(self) -> MultimodalVAE:
        """The PyTorch module (after `fit`)."""
        return self._trained().network

    def __repr__(self) -> str:
        return as_text(self.config, self._fitted)

    def _repr_html_(self) -> str:
        return as_html(self.config, self._fitted)

    def __getstate__(self) -> dict[str, object]:
        """Pickle and copy without data, and with the weights on the CPU: the reader may have no other device."""
        state = {name: value for name, value in self.__dict__.items() if name != "mdata"}
        if self._fitted is not None:
            device = self.network.device
            network = self.network if device.type == "cpu" else copy.deepcopy(self.network).cpu()
            state |= {"_fitted": self._fitted._replace(network=network), "_device_type": device.type}
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        """Put the weights back where they were, if this machine has such a device."""
        word = str(state.pop("_device_type", "cpu"))
        self.__dict__.update(state)
        if self._fitted is not None and is_there(word):
            self._fitted.network.to(word)

    def fit(self, mdata: Observations, checkpoint: str | Path | None = None) -> "OmixVAE":
        """Train on a MuData, which is not changed.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`. Any modality of an observation may be
            missing; values may be NaN. What is not a MuData is read, and kept as the attribute `mdata`.
        checkpoint
            A folder. When Ctrl-C or SIGTERM stops the training, it is left there, and the same call with the same data
            goes on from there and ends as if it had never been stopped. Removed when the training is done.

        Returns
        -------
        OmixVAE
            Itself.

        Raises
        ------
        InputError
            If the data or the options cannot be used, or are not those of the checkpoint; explains what, where, and
            how to fix it.
        KeyboardInterrupt
            After Ctrl-C; with a checkpoint also after SIGTERM, and within seconds, once the folder is written. A second
            one ends at once, and leaves no checkpoint.

        Notes
        -----
        In a script that torchrun or srun has started several times, all processes train together and hold the same
        model afterwards; see `fit`.

        Examples
        --------
        >>> import omixvae
        >>> OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60)).plan.n_latent
        15
        """
        if not isinstance(checkpoint, (str, Path, type(None))):
            raise InputError(
                f"The checkpoint cannot be {checkpoint!r}.",
                "the argument checkpoint of fit",
                "Give the name of a folder; options, such as max_epochs=5, are given to OmixVAE(...).",
            )
        processes = join_processes()
        with processes.together():
            device = processes.device(resolve_device(self.config.training.device))
            data = (mdata if isinstance(mdata, MaskedModalities) else self._read_to_train(mdata)).on(device)
            plan = make_plan(self.config, data, self.own, processes.size)
            kept = None
            if checkpoint is not None:
                setting = Setting.of(self.config, plan, data, device, processes.size)
                kept = Checkpoint(Path(checkpoint), setting)
            snapshot = None if kept is None else kept.read()
        _check_alike(plan, data, snapshot, processes)
        # Only now, when no error can follow that would be shown beside them.
        warn_of(self._doubts)
        self._doubts = []
        shown = self.config.training.progress and processes.first
        with TrainingProgress(plan.max_epochs, show=shown) as progress:
            loop = _training_loop(self.own.objective, progress, kept, snapshot)
            network, history = fit_network(plan, data, device, self.own, processes, loop)
        held_out = tuple(map(str, data.obs_names[split_of(plan, data.presence).held_out_rows]))
        self._fitted = Fitted(self.config, plan, data.schema, history, network, held_out)
        return self

    def read(self, mdata: Source, *, allow_missing_features: bool = False) -> MaskedModalities:
        """Read data once for several questions: new data as the model was trained to, or those to be trained on.

        Parameters
        ----------
        mdata
            A MuData, or what else `omixvae.read` takes. Before the training, what the options ask for is read. After
            it, modalities and features that the model does not know are left out; those that it knows and that are not
            here are taken as not measured. Features are found by their names, or by another usual spelling of these,
            and levels of batch and covariates too; warnings name what was missing or renamed.
        allow_missing_features
            Read a modality also where it has fewer than a fifth of the features that the model knows. Their values
            then tell next to nothing about the latents.

        Returns
        -------
        MaskedModalities
            `fit` and every question take it in the place of a MuData.

        Raises
        ------
        InputError
            If the values are of a kind that the model cannot take, or features are missing; all problems together.

        Examples
        --------
        >>> import omixvae
        >>> model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60))
        >>> data = model.read(omixvae.simulate(n_obs=20, seed=1))
        >>> model.latent(data)[0].shape, model.clusters(data)[0].shape
        ((20, 15), (20,))
        """
        if self._fitted is None:
            return self._read_to_train(mdata)
        totals = {
            m.name: composition.cpu().double().numpy()
            for m, likelihood in zip(self.plan.modalities, self.network.likelihoods, strict=True)
            if (composition := likelihood.composition()) is not None
        }
        data = from_mudata(
            as_mudata(mdata), self.config.data, self.schema, totals, allow_missing_features=allow_missing_features
        )
        refusals = []
        for table, m in zip(data.tables, self.plan.modalities, strict=True):
            own = self.own.likelihoods.get(m.name)
            word, likelihood = (m.likelihood, LIKELIHOODS[m.likelihood]) if own is None else (name_of(own), own)
            refusals.append(refusal(table, word, likelihood, trained=True))
        raise_together([error for error in refusals if error])
        return data.on(self.network.device)

    def annotate(
        self, mdata: Source, *, data: MaskedModalities | None = None, allow_missing_features: bool = False
    ) -> None:
        """Write latents, clusters, imputed values and the record of the run into a MuData.

        Parameters
        ----------
        mdata
            Any of the model's modalities, and some of their features, may be missing (see `read`). Changed in place,
            under keys that begin with the option `key_added` (see the page "Results" of the documentation). Whatever
            else `omixvae.read` takes is read, and kept with the results as the attribute `mdata`.
        data
            What `read` made of `mdata`, where that was done already.
        allow_missing_features
            Go on also where a modality has fewer than a fifth of the features that the model knows.
        """
        whole = self._keep(mdata)
        check_takes_results(whole)
        fitted = self._trained()
        if data is None:
            data = self.read(whole, allow_missing_features=allow_missing_features)
        elif not np.array_equal(data.obs_names, whole.obs_names.to_numpy()):
            raise InputError(
                "These data were read from another MuData.",
                "the argument data",
                "Leave it out, or give what read(mdata) gave for the same observations in the same order.",
            )
        annotate(whole, fitted, self._read(data).on(self.network.device))

    def latent(
        self, mdata: Observations, given: str | Sequence[str] | None = None, n_samples: int = 0
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """Return the shared latent of each observation.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        given
            Modalities to look at; all when not given.
        n_samples
            Draw this many samples instead.

        Returns
        -------
        tuple of numpy.ndarray, or numpy.ndarray
            Posterior mean and standard deviation, each (n, d); or samples (s, n, d).
        """
        data = self._read(mdata, given)
        if n_samples:
            return inference.sample_latent(self.network, data, n_samples, self.plan.seed)
        return inference.shared_latent(self.network, data)

    def private_latent(
        self, mdata: Observations, mod: str, given: str | Sequence[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the private latent of one modality.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        mod
            The modality.
        given
            Modalities to look at; all when not given.

        Returns
        -------
        tuple of numpy.ndarray
            Posterior mean and standard deviation, each (n, p); 0 and 1, the prior's, where the modality is absent.
        """
        s, moments = self._position(mod), inference.make_private_moments(self.network, self.plan.seed)
        mean, sd = inference.gather(self.network, self._read(mdata, given), moments)
        n_private = self.plan.modalities[s].n_private
        return mean[:, s, :n_private], sd[:, s, :n_private]

    def clusters(self, mdata: Observations, given: str | Sequence[str] | None = None) -> tuple[pd.Series, pd.DataFrame]:
        """Assign each observation to a component of the mixture prior.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        given
            Modalities to look at; all when not given.

        Returns
        -------
        tuple
            The most probable cluster of each observation (categorical), and the probabilities (n, k).

        Raises
        ------
        InputError
            If the model's prior has no clusters.
        """
        data = self._read(mdata, given)
        probabilities = inference.cluster_probabilities(self.network, data, CLUSTER_SAMPLES, self.plan.seed)
        if not probabilities.shape[1]:
            prior = name_of(self.network.prior) if self.plan.prior == "own" else self.plan.prior
            raise InputError(
                f"The prior {prior} has no clusters.", "option prior", "Train with prior='gaussian_mixture'."
            )
        frame = pd.DataFrame(probabilities, data.obs_names).rename(columns=str)
        codes = pd.Categorical.from_codes(probabilities.argmax(axis=1), list(frame.columns))
        return pd.Series(codes, frame.index, name="cluster"), frame

    def impute(
        self,
        mdata: Observations,
        mod: str,
        given: str | Sequence[str] | None = None,
        features: str | Sequence[str] | None = None,
        n_samples: int = IMPUTATION_SAMPLES,
        out: str | Path | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame] | Path:
        """Predict a modality for every observation, from whatever else it has.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        mod
            The modality to predict; where it was measured it is looked at too, unless `given` leaves it out.
        given
            Modalities to look at; all when not given.
        features
            Features to return; all when not given.
        n_samples
            Draws of the latents that are averaged.
        out
            A folder that ends in ``.zarr``: predictions are streamed there, in the arrays ``mean`` and ``sd``, with
            ``obs_names`` and ``var_names``; nothing large is held in memory.

        Returns
        -------
        tuple of pandas.DataFrame, or pathlib.Path
            Predictive mean and standard deviation in the data's own units, (n, g); or `out`.

        Raises
        ------
        InputError
            If a modality or a feature is not known, or `out` cannot be written.
        """
        s, data, columns, names = self._to_predict(mdata, mod, given, features)
        batches = inference.predict(self.network, data, s, n_samples, self.plan.seed)
        if out is not None:
            return stream_prediction(Path(out), batches, columns, data.obs_names, names)
        mean = pd.DataFrame(np.empty((data.n_obs, len(names)), np.float32), data.obs_names, names)
        sd = mean.copy()
        for rows, predicted, deviation in batches:
            mean.iloc[rows], sd.iloc[rows] = predicted[:, columns], deviation[:, columns]
        return mean, sd

    def impute_interval(
        self,
        mdata: Observations,
        mod: str,
        coverage: float = 0.95,
        given: str | Sequence[str] | None = None,
        features: str | Sequence[str] | None = None,
        n_samples: int = INTERVAL_SAMPLES,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the limits between which values of a modality lie, with a given probability.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        mod
            The modality to predict; where it was measured it is looked at too, unless `given` leaves it out.
        coverage
            Probability that a value lies within its limits, between 0 and 1.
        given
            Modalities to look at; all when not given.
        features
            Features to return; all when not given.
        n_samples
            Draws whose quantiles the limits are.

        Returns
        -------
        tuple of pandas.DataFrame
            Lower and upper limits in the data's own units, (n, g).

        Raises
        ------
        InputError
            If a modality or a feature is not known, `coverage` is not between 0 and 1, or `n_samples` is below 2.

        Examples
        --------
        >>> import omixvae
        >>> mdata = omixvae.simulate(n_obs=60)
        >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
        >>> low, high = model.impute_interval(mdata, "protein", coverage=0.5, given=["rna"])
        >>> bool((low <= high).all(axis=None))
        True
        """
        if not 0 < coverage < 1 or n_samples < 2:
            raise InputError(
                f"No limits can be drawn with coverage {coverage} and {n_samples} draws.",
                "the arguments coverage and n_samples",
                "Give a coverage between 0 and 1, such as 0.95, and at least 2 draws; 200 is usual.",
            )
        s, data, columns, names = self._to_predict(mdata, mod, given, features)
        low = pd.DataFrame(np.empty((data.n_obs, len(names)), np.float32), data.obs_names, names)
        high = low.copy()
        tails = (1 - coverage) / 2, (1 + coverage) / 2
        for rows, draws in inference.draw_predictions(self.network, data, s, columns, n_samples, self.plan.seed):
            low.iloc[rows], high.iloc[rows] = np.quantile(draws, tails, axis=0, overwrite_input=True).astype(np.float32)
        return low, high

    def impute_draws(
        self,
        mdata: Observations,
        mod: str,
        given: str | Sequence[str] | None = None,
        features: str | Sequence[str] | None = None,
        n_samples: int = MULTIPLE_IMPUTATIONS,
    ) -> np.ndarray:
        """Draw values of a modality from what is believed about them: multiple imputation.

        Each draw is a complete table as it might have been measured. What is computed from each of them, and then
        averaged, takes the doubt along: the expected logarithm of a count, a correlation, a test (Rubin 1987).

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.
        mod
            The modality to draw; where it was measured it is looked at too, unless `given` leaves it out.
        given
            Modalities to look at; all when not given.
        features
            Features to return; all when not given. All draws are held in memory, 4 bytes a value.
        n_samples
            Number of draws.

        Returns
        -------
        numpy.ndarray
            Shape (n_samples, n, g), float32, in the data's own units. Measured entries are drawn like the others.

        Raises
        ------
        InputError
            If a modality or a feature is not known, or `n_samples` is below 1.

        Examples
        --------
        >>> import omixvae
        >>> mdata = omixvae.simulate(n_obs=60)
        >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
        >>> model.impute_draws(mdata, "protein", given=["rna"], n_samples=3).shape
        (3, 60, 20)
        """
        if n_samples < 1:
            raise InputError(
                f"n_samples must be at least 1, not {n_samples}.", "the argument n_samples", "20 is usual for averages."
            )
        s, data, columns, _ = self._to_predict(mdata, mod, given, features)
        drawn = np.empty((n_samples, data.n_obs, len(columns)), np.float32)
        for rows, draws in inference.draw_predictions(self.network, data, s, columns, n_samples, self.plan.seed):
            drawn[:, rows] = draws
        return drawn

    def imputation_skill(self, mod: str) -> pd.DataFrame:
        """Return how well each feature of a modality is predicted from the other modalities.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        pandas.DataFrame
            One row per feature: ``r2``, the part of its variance that predictions explain, in observations that the
            model was not trained on; ``se``, the standard error of that; ``imputable``, whether `r2` is above zero by
            more than twice that: a feature of which this is false is predicted no better than by its mean, as far as
            can be told. NaN and false where there were too few such observations.

        Raises
        ------
        InputError
            If the modality is not known.

        Notes
        -----
        `omixvae.inference.calibrate`. On the scale that the encoder sees: standard units, or logged counts.

        Examples
        --------
        >>> import omixvae
        >>> model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60))
        >>> list(model.imputation_skill("protein"))
        ['r2', 'se', 'imputable']
        """
        decoder = self.network.decoders[self._position(mod)]
        r2, error = decoder.calibration.skill.cpu().double().numpy()
        imputable = decoder.calibration.imputable.cpu().numpy()
        return pd.DataFrame({"r2": r2, "se": error, "imputable": imputable}, list(self.schema.features[mod]))

    def information(self, mdata: Observations) -> pd.DataFrame:
        """Tabulate what each set of modalities tells about the latent.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.

        Returns
        -------
        pandas.DataFrame
            One row per set of modalities, in nats (see `omixvae.inference.information`).
        """
        return inference.information(self.network, self._read(mdata), seed=self.plan.seed)

    def variance_explained(self, mdata: Observations) -> pd.DataFrame:
        """Tabulate the part of each modality's variance that shared and private latents explain.

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`.

        Returns
        -------
        pandas.DataFrame
            R² of all latents, of the shared and of the private ones, and of each alone (rows), for each modality
            (columns); see `omixvae.inference.variance_explained`.

        Examples
        --------
        >>> import omixvae
        >>> mdata = omixvae.simulate(n_obs=60)
        >>> model = omixvae.fit(mdata, n_latent=2, n_private=1, max_epochs=2, progress=False)
        >>> list(model.variance_explained(mdata).index)
        ['all', 'shared', 'private', 'shared 0', 'shared 1', 'private 0']
        """
        n_private = [m.n_private for m in self.plan.modalities]
        return inference.variance_explained(self.network, self._read(mdata), n_private)

    def log_likelihood(
        self,
        mdata: Observations,
        of: str | Sequence[str] | None = None,
        given: str | Sequence[str] = (),
        n_samples: int = LIKELIHOOD_SAMPLES,
    ) -> pd.Series:
        """Estimate how probable each observation is under the model: log p(x_of | x_given).

        Parameters
        ----------
        mdata
            MuData, anything `omixvae.read` takes, or the result of `read`. Missing modalities
            of an observation drop out.
        of
            Modalities whose probability is estimated; all that are not in `given` when not given.
        given
            Modalities that are known beforehand.
        n_samples
            Importance samples; the more, the closer (from below) to the truth.

        Returns
        -------
        pandas.Series
            One value per observation, in nats; 0 for those that have none of `of`.

        Raises
        ------
        InputError
            If a modality is not known, or is both in `of` and in `given`; or without a sample.

        Notes
        -----
        Section "Likelihood" of the method page. Compare models by this on observations that none was trained on: it
        does not depend on the bound that was maximised. With a held-out modality in `of` it scores imputation.

        Examples
        --------
        >>> import omixvae
        >>> mdata = omixvae.simulate(n_obs=60)
        >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
        >>> model.log_likelihood(mdata, of=["protein"], given=["rna"], n_samples=2).shape
        (60,)
        """
        data = self._read(mdata)
        known = self._among(given, "given")
        asked = ~known if of is None else self._among(of, "of")
        if (asked & known).any():
            raise InputError(
                f"Modality {self.schema.modalities[int(np.argmax(asked & known))]!r} is in both `of` and `given`.",
                "the arguments of and given",
                "Leave it out of one of them.",
            )
        if n_samples < 1:
            raise InputError(
                f"n_samples must be at least 1, not {n_samples}.", "the argument n_samples", "512 is usual."
            )
        values = inference.log_likelihood(self.network, data, asked, known, n_samples, self.plan.seed)
        return pd.Series(values, data.obs_names, name="log_likelihood")

    def loadings(self, mod: str) -> pd.DataFrame:
        """Return the weight of each latent dimension on each feature.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        pandas.DataFrame
            Features by dimensions: ``shared 0`` …, then ``private 0`` … Where the likelihood takes several numbers of
            each feature, the weights on the first, which determines the mean (`protein_mixture`: the foreground).

        Raises
        ------
        InputError
            If the decoder is not linear.
        """
        weights = self.network.decoders[self._position(mod)].loadings
        if weights is None:
            raise InputError("Only a linear decoder has loadings.", "option decoder", "Train with decoder='linear'.")
        loadings = weights.detach().cpu().numpy()
        columns = inference.latent_names(loadings.shape[1], self.plan.n_latent)
        return pd.DataFrame(loadings, list(self.schema.features[mod]), columns)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model into a folder: JSON and safetensors, no pickle.

        Parameters
        ----------
        path
            The folder.
        overwrite
            Replace an earlier model that is there. Anything else is never replaced.

        Raises
        ------
        InputError
            If the folder cannot be written, or holds a model that is not to be replaced.

        Examples
        --------
        >>> import omixvae
        >>> from tempfile import TemporaryDirectory
        >>> model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60))
        >>> with TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model")
        ...     omixvae.load(f"{folder}/model").plan == model.plan
        True
        """
        fitted = self._trained()
        if not overwrite:
            check_no_model(Path(path), "save it with overwrite=True")
        save_model(Path(path), fitted)

    def _trained(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError(
                "The model is not trained yet.", "this OmixVAE", "Call fit(mdata) first, or read a model by load."
            )
        return self._fitted

    def _read_to_train(self, mdata: Source) -> MaskedModalities:
        """Read what the options ask for, and find what is doubtful in it, of which `fit` warns."""
        whole = self._keep(mdata)
        data = from_mudata(whole, self.config.data)
        self._doubts = find_doubts(whole, data, self.config.data)
        return data

    def _keep(self, source: Source) -> mudata.MuData:
        """Convert to MuData and keep it, since the caller has no reference."""
        mdata = as_mudata(source)
        if mdata is not self.mdata:
            self.mdata = None if mdata is source else mdata
        return mdata

    def _read(self, mdata: Observations, given: str | Sequence[str] | None = None) -> MaskedModalities:
        """Read a MuData as the model was trained to, if that was not done before."""
        schema = self.schema
        names = None if given is None else [schema.modalities[self._position(mod, "given")] for mod in as_names(given)]
        data = mdata if isinstance(mdata, MaskedModalities) else self.read(mdata)
        if data.schema != schema:
            raise InputError(
                "These data were read for another model.", "the argument mdata", "Read them with read() of this model."
            )
        return data if names is None else data.given(names)

    def _to_predict(
        self, mdata: Observations, mod: str, given: str | Sequence[str] | None, features: str | Sequence[str] | None
    ) -> tuple[int, MaskedModalities, np.ndarray, np.ndarray]:
        """Return the position of a modality to predict, the data, and columns and names of the features asked for."""
        s, data = self._position(mod), self._read(mdata, given)
        columns = self._columns(mdata, mod, features)
        return s, data, columns, np.array(self.schema.features[mod])[columns]

    def _position(self, mod: str, argument: str = "mod") -> int:
        """Return the position of a modality, which an argument names."""
        modalities = self.schema.modalities
        if mod not in modalities:
            raise InputError(
                f"The model knows no modality {mod!r}.", f"the argument {argument}", nearest(mod, modalities)
            )
        return modalities.index(mod)

    def _among(self, mods: str | Sequence[str], argument: str) -> np.ndarray:
        """Return for each modality whether it is one of those that an argument names."""
        chosen = [self._position(mod, argument) for mod in as_names(mods)]
        return np.isin(np.arange(len(self.schema.modalities)), chosen)

    def _columns(self, mdata: Observations, mod: str, features: str | Sequence[str] | None) -> np.ndarray:
        known = self.schema.features[mod]
        if features is None:
            return np.arange(len(known))
        var = mdata.mod[mod].var if isinstance(mdata, mudata.MuData) and mod in mdata.mod else None
        return feature_positions(mod, known, as_names(features), var, "the argument features")


@with_options
def fit(
    mdata: Source,
    *unnamed: object,
    encoders: Mapping[str, nn.Module] | None = None,
    decoders: Mapping[str, nn.Module] | None = None,
    **options: Unpack[Options],
) -> OmixVAE:
    """Train on a MuData and write the results into it.

    Parameters
    ----------
    mdata
        Any modality of an observation may be missing; values may be NaN. Latents, clusters and imputed values are
        written into it under keys that begin with `key_added`. Values of a file that was opened with ``backed="r"``
        stay on disk. Whatever else `omixvae.read` takes (a path, an AnnData, a dict of AnnData, data frames or paths)
        is read, and the MuData with the results is ``model.mdata``.
    encoders
        A PyTorch module of your own for some modalities, by name: from values (n, g) to features (n, any size). It sees
        values brought into range, with what is missing filled in. It is copied, yours stays as it is.
    decoders
        The same for decoders: from latents (n, shared + private + covariates) to (n, g), on the scale of the likelihood
        (for `protein_mixture` to (n, 2 g); see the page "Parts of your own" of the documentation). The options
        `likelihoods`, `prior`, `aggregation` and `objective` take parts of your own as well as words.
    **options
        All by name; none is needed. What is not given, or ``"auto"``, is decided from the data, and
        ``mdata.uns["omixvae"]["reasons"]`` says why.

        {options}

    Returns
    -------
    OmixVAE
        The fitted model.

    Raises
    ------
    InputError
        If the data or the options cannot be used; explains what, where, and how to fix it.

    Notes
    -----
    In a script that torchrun or srun has started several times, all processes must call this with the same data and
    options. They train together, each on its share of every batch, and each holds the same model and results
    afterwards. Writing files is the script's own affair: do it where the environment variable RANK (SLURM_PROCID with
    srun) is 0. One process may write while the others end.

    Examples
    --------
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> "omixvae_cluster" in mdata.obs
    True
    """
    if unnamed:
        raise InputError(
            f"Only the data are given without a name, but {unnamed[0]!r} follows them.",
            "the call of fit",
            "Name the option that is meant: fit(mdata, n_latent=10).",
        )
    model = OmixVAE(encoders=encoders, decoders=decoders, **options)
    whole, key = as_mudata(mdata), model.config.results.key_added
    check_takes_results(whole)  # before hours of training, not after
    check_free(whole, key)
    data = model.read(whole)
    model.fit(data)
    model.annotate(whole, data=data)
    model.mdata = None if whole is mdata else whole
    if model.config.training.progress and join_processes().first:
        trained = summarise_training(model.plan, model.history, int(whole.n_obs), cluster_sizes(whole, key))
        where = "Wrote into the MuData" if whole is mdata else "Wrote into model.mdata"
        written = results_lines(summarise_results(whole, key)["keys"], where)
        show_lines([*training_lines(trained), *written])
    return model


def load(
    path: str | Path,
    *,
    device: str = "auto",
    encoders: Mapping[str, nn.Module] | None = None,
    decoders: Mapping[str, nn.Module] | None = None,
    likelihoods: Mapping[str, type[Likelihood] | Likelihood] | None = None,
    prior: type[Prior] | Prior | None = None,
    aggregation: type[Aggregation] | Aggregation | None = None,
    objective: Bound | None = None,
) -> OmixVAE:
    """Read a model that `OmixVAE.save` wrote.

    Parameters
    ----------
    path
        The folder.
    device
        Where to compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    encoders, decoders, likelihoods, prior, aggregation, objective
        The parts of your own that it was trained with, if any: only weights are saved, never code.

    Returns
    -------
    OmixVAE
        Ready to be asked; nothing is unpickled.

    Raises
    ------
    InputError
        If the folder does not hold a whole model, or parts of your own are not given.
    """
    own = OwnModules(encoders or {}, decoders or {}, likelihoods or {}, prior, aggregation, objective)
    fitted = read_model(Path(path), resolve_device(device), own)
    model = OmixVAE()
    model.config, model.own, model._fitted = fitted.config, own, fitted
    return model


def _training_loop(
    bound: Bound | None, progress: TrainingProgress, checkpoint: Checkpoint | None, snapshot: Snapshot | None
) -> Callable[[MultimodalVAE, MaskedModalities, Plan, Processes], History]:
    """Return the loop for `fit_network`: one that leaves a checkpoint when it is stopped, if there is one to leave."""
    if checkpoint is None:
        return partial(train, bound=bound, on_epoch=progress)
    return partial(train_resumably, progress=progress, checkpoint=checkpoint, snapshot=snapshot, bound=bound)


def _check_alike(plan: Plan, data: MaskedModalities, snapshot: Snapshot | None, processes: Processes) -> None:
    """Check that a script gave each process the same: otherwise they would wait for one another for ever."""
    begun = "" if snapshot is None else f"{len(snapshot.history)} {snapshot.step}"
    fingerprint = hashlib.sha256((plan.to_json() + begun).encode() + data.presence.tobytes()).hexdigest()
    if len(set(processes.gather(fingerprint))) > 1:
        raise InputError(
            "The processes that train together were given different data, options or checkpoints.",
            "the script",
            "Give all the same, seed included, and a checkpoint where all can read it; the rows are shared out in the "
            "training.",
        )
