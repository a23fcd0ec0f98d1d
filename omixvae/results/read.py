"""Read what `omixvae.fit` has written into a MuData."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import mudata
import numpy as np
import pandas as pd

from omixvae.data.matrices import as_matrix, split_missing
from omixvae.data.stored_matrix import lies_on_disk
from omixvae.errors import InputError, nearest
from omixvae.inference import latent_names
from omixvae.options import per_modality
from omixvae.results.keys import Keys
from omixvae.results.record import Record, is_record

__all__ = ["Results", "imputed"]


@dataclass(frozen=True)
class Results:
    """Results in a MuData.

    Parameters
    ----------
    mdata
        After `omixvae.fit`.
    key
        The option `key_added`.
    """

    mdata: mudata.MuData
    key: str = "omixvae"

    @property
    def keys(self) -> Keys:
        """Names of the results."""
        return Keys(self.key)

    @property
    def record(self) -> Record:
        """What was asked for, what was done and how it went."""
        records = self._records
        if self.key in records:
            return Record.from_uns(records[self.key])
        others = list(records)
        raise InputError(
            f"The MuData holds no results of omixvae under the key {self.key!r}.",
            f"mdata.uns[{self.key!r}]",
            f"Give the argument key. {nearest(self.key, others)}" if others else "Run omixvae.fit(mdata) first.",
        )

    @property
    def _records(self) -> dict[str, Mapping[str, object]]:
        return {k: v for k, v in self.mdata.uns.items() if is_record(v)}

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities that were trained on, of which the MuData holds data."""
        trained = [m.name for m in self.record.plan.modalities] if self.key in self._records else self.mdata.mod
        return [name for name in self.mdata.mod if name in trained]

    @property
    def latent(self) -> pd.DataFrame:
        """Shared latent: observations by dimensions."""
        if self.keys.latent not in self.mdata.obsm:
            _ = self.record  # says it when there are no results at all
            where = f"mdata.obsm[{self.keys.latent!r}]"
            raise InputError("The MuData holds no latents.", where, "Run model.annotate(mdata) again.")
        values = np.asarray(self.mdata.obsm[self.keys.latent])
        return pd.DataFrame(values, self.mdata.obs_names, latent_names(values.shape[1], values.shape[1]))

    @property
    def cluster_column(self) -> str | None:
        """Name in obs of the clusters, if there are any."""
        return self.keys.cluster if self.keys.cluster in self.mdata.obs else None

    @property
    def clusters(self) -> "pd.Series[str]":
        """Most probable cluster of each observation, categorical."""
        column = self.cluster_column
        if column is None:
            prior = self.record.plan.prior
            raise InputError(
                f"There are no clusters: the prior {prior} has none.",
                f"mdata.obs[{self.keys.cluster!r}]",
                "Run omixvae.fit(mdata, prior='gaussian_mixture').",
            )
        return self.mdata.obs[column].astype("category")

    @property
    def cluster_probabilities(self) -> np.ndarray:
        """Shape (n, k)."""
        return np.asarray(self.mdata.obsm[self.keys.cluster_probabilities])

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch, in nats per observation."""
        return pd.DataFrame([asdict(row) for row in self.record.history]).set_index("epoch")

    @property
    def information(self) -> pd.DataFrame:
        """What each set of modalities tells about the latents, and what a further one would add, in nats."""
        return self.record.information

    def check_modality(self, mod: str) -> None:
        """Refuse a modality that there is not.

        Parameters
        ----------
        mod
            Its name.

        Raises
        ------
        InputError
            If it is not among those that were trained on.
        """
        if mod not in self.modalities:
            raise InputError(f"There is no modality {mod!r}.", "the argument mod", nearest(mod, self.modalities))

    def skill(self, mod: str) -> pd.DataFrame:
        """Return how well each feature is predicted from the other modalities.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        pandas.DataFrame
            Features by ``r2`` (NaN where it could not be judged) and ``imputable``.

        Raises
        ------
        InputError
            If that was not judged.
        """
        _ = self.record
        self.check_modality(mod)
        var = self.mdata.mod[mod].var
        columns = {self.keys.imputation_r2: "r2", self.keys.imputable: "imputable"}
        if not set(columns) <= set(var):
            raise InputError(
                f"Nothing is known of how well {mod!r} can be predicted: too few observations were held out.",
                f"mdata[{mod!r}].var[{self.keys.imputation_r2!r}]",
                "It takes early_stopping=True and, among the held-out observations, five that have this modality "
                "and another one.",
            )
        return var[list(columns)].rename(columns=columns).astype({"r2": float, "imputable": bool})

    def loadings(self, mod: str) -> pd.DataFrame:
        """Return the weight of each latent dimension on each feature.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        pandas.DataFrame
            Features by dimensions: ``shared 0`` …, then ``private 0`` …

        Raises
        ------
        InputError
            If the decoder is not linear.
        """
        plan = self.record.plan
        self.check_modality(mod)
        adata = self.mdata.mod[mod]
        if self.keys.loadings not in adata.varm:
            raise InputError(
                f"Modality {mod!r} has no loadings: only a linear decoder has them, and this one was {plan.decoder!r}.",
                f"mdata[{mod!r}].varm[{self.keys.loadings!r}]",
                "Train with decoder='linear'.",
            )
        weights = np.asarray(adata.varm[self.keys.loadings])
        return pd.DataFrame(weights, adata.var_names, latent_names(weights.shape[1], plan.n_latent))

    def likelihood(self, mod: str) -> str | None:
        """Return how the values of a modality were taken.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        str or None
            Word for its likelihood; None if it was not trained on.
        """
        return next((m.likelihood for m in self.record.plan.modalities if m.name == mod), None)

    def layer(self, mod: str, option: str = "layers") -> str | None:
        """Return where the values of a modality were read from.

        Parameters
        ----------
        mod
            The modality.
        option
            ``"layers"`` or ``"coverage_layers"``.

        Returns
        -------
        str or None
            Name of the layer; None for `X`, or for no coverage.
        """
        if self.key not in self._records:
            return None
        data = self.record.config.data
        return per_modality(data.layers if option == "layers" else data.coverage_layers, [mod]).get(mod)

    @property
    def presence(self) -> pd.DataFrame:
        """Which observation has which modality: observations by modalities, of bool.

        As in the training, a row without any value counts as absent (values that lie on disk are not looked at).
        """
        present = {}
        for mod in self.modalities:
            row = self.mdata.mod[mod].obs_names.get_indexer(self.mdata.obs_names)
            present[mod] = np.append(self._holds_values(mod), False)[row]  # the last is of those that are not there
        return pd.DataFrame(present, self.mdata.obs_names)

    def _holds_values(self, mod: str) -> np.ndarray:
        adata, layer, coverage = self.mdata.mod[mod], self.layer(mod), self.layer(mod, "coverage_layers")
        x = adata.layers[layer] if layer in adata.layers else adata.X
        if x is None or lies_on_disk(x):
            return np.ones(adata.n_obs, bool)
        if coverage is not None and coverage in adata.layers:  # anndata 0.13 has X there too, under None
            return np.asarray(adata.layers[coverage].sum(axis=1)).ravel() > 0
        missing = split_missing(as_matrix(x, mod))[1]
        if missing is None:
            return np.ones(adata.n_obs, bool)
        return np.asarray(missing.sum(axis=1)).ravel() < adata.n_vars

    def measured(self, mod: str, feature: str) -> "pd.Series[float]":
        """Return the measured values of a feature.

        Parameters
        ----------
        mod
            The modality.
        feature
            One of its var_names.

        Returns
        -------
        pandas.Series
            One per observation of the MuData, NaN where nothing was measured.
        """
        adata, layer = self.mdata.mod[mod], self.layer(mod)
        values = adata[:, feature].to_df(layer if layer in adata.layers else None).iloc[:, 0]
        return values.reindex(self.mdata.obs_names).astype(float)

    def imputed(self, mod: str, *, sd: bool = False) -> pd.DataFrame:
        """Return the values of a modality, predicted where they were not measured.

        Parameters
        ----------
        mod
            The modality; also the option `labels_key`, whose features are the labels.
        sd
            Return their standard deviations instead, which are 0 where a value was measured.

        Returns
        -------
        pandas.DataFrame
            Observations of the MuData by features.

        Raises
        ------
        InputError
            If there is no such modality, or it was not imputed.
        """
        features = self.record.features
        if mod not in features:
            self.check_modality(mod)
        name = self.keys.imputed_sd(mod) if sd else self.keys.imputed(mod)
        if name not in self.mdata.obsm:
            raise InputError(
                f"Modality {mod!r} was not imputed.",
                f"mdata.obsm[{name!r}]",
                f"Ask the model: model.impute(mdata, {mod!r}). Or train with impute='all'.",
            )
        values = self.mdata.obsm[name]
        if isinstance(values, pd.DataFrame):  # written by a version that did not keep the names in uns
            return values
        names = features[mod] if mod in features else self.mdata.mod[mod].var_names
        return pd.DataFrame(values, self.mdata.obs_names, pd.Index(names, dtype=object).astype(str))

    @property
    def imputed_modalities(self) -> list[str]:
        """Names of the modalities whose imputed values are here."""
        names = dict.fromkeys([*self.modalities, *self.record.features])
        return [name for name in names if self.keys.imputed(name) in self.mdata.obsm]

    def imputed_feature(self, mod: str, feature: str) -> "pd.Series[float] | None":
        """Return the values of a feature, predicted where it was not measured.

        Parameters
        ----------
        mod
            The modality.
        feature
            One of its var_names.

        Returns
        -------
        pandas.Series or None
            One per observation of the MuData; None if it was not imputed.
        """
        if self.keys.imputed(mod) not in self.mdata.obsm:
            return None
        table = self.imputed(mod)
        return table[feature].astype(float) if feature in table else None


def imputed(mdata: mudata.MuData, mod: str, *, sd: bool = False, key: str = "omixvae") -> pd.DataFrame:
    """Return the values of a modality that `omixvae.fit` has written, predicted where they were not measured.

    Parameters
    ----------
    mdata
        After `omixvae.fit`, `model.annotate` or `omixvae train`.
    mod
        A modality that was imputed, or the column of labels that was trained on (`labels_key`).
    sd
        Return the predictive standard deviations instead; they are 0 where a value was measured.
    key
        The option `key_added` of the training.

    Returns
    -------
    pandas.DataFrame
        All observations of the MuData by the features of the modality, in the units of the data.

    Raises
    ------
    InputError
        If there is no such modality, or it was not imputed.

    See Also
    --------
    OmixVAE.impute : Predict a modality of any data, also what was measured.

    Examples
    --------
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> protein = omixvae.imputed(mdata, "protein")
    >>> protein.shape, bool(protein.notna().all(axis=None))
    ((60, 20), True)
    """
    return Results(mdata, key).imputed(mod, sd=sd)
