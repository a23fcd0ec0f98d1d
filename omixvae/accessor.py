"""`mdata.omixvae`, after `import omixvae.accessor`: training and results at hand where the MuData is."""

from typing import Unpack

import mudata
import pandas as pd

from omixvae.found import Found
from omixvae.keywords import Options
from omixvae.model import OmixVAE, fit

__all__ = ["Accessor"]


class Accessor:
    """Results of omixvae in a MuData, as ``mdata.omixvae``.

    Parameters
    ----------
    mdata
        Results are those under the default `key_added`, ``"omixvae"``.

    Examples
    --------
    >>> import omixvae, omixvae.accessor
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = mdata.omixvae.fit(max_epochs=2, progress=False)
    >>> mdata.omixvae.latent.shape == (60, model.plan.n_latent)
    True
    """

    def __init__(self, mdata: mudata.MuData) -> None:
        self._mdata, self._found = mdata, Found(mdata, "omixvae")

    def fit(self, **options: Unpack[Options]) -> OmixVAE:
        """Train on the MuData and write the results into it.

        Parameters
        ----------
        **options
            Those of `omixvae.fit`, but for `key_added`.

        Returns
        -------
        OmixVAE
            The fitted model.

        Raises
        ------
        InputError
            If the data or the options cannot be used.
        """
        return fit(self._mdata, **options)

    @property
    def latent(self) -> pd.DataFrame:
        """Shared latent: observations by dimensions."""
        latent = self._found.latent
        return pd.DataFrame(latent, self._mdata.obs_names, [f"shared {i}" for i in range(latent.shape[1])])

    @property
    def clusters(self) -> "pd.Series[str]":
        """Most probable cluster of each observation, categorical."""
        return self._found.clusters

    @property
    def presence(self) -> pd.DataFrame:
        """Which observation has which modality: observations by modalities, of bool."""
        return self._found.presence()

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch, in nats per observation."""
        return self._found.history

    @property
    def information(self) -> pd.DataFrame:
        """What each set of modalities tells about the latents, and what a further one would add, in nats."""
        return self._found.information

    def imputed(self, mod: str, *, sd: bool = False) -> pd.DataFrame:
        """Return the values of a modality, predicted where they were not measured.

        Parameters
        ----------
        mod, sd
            As of `omixvae.imputed`.

        Returns
        -------
        pandas.DataFrame
            All observations of the MuData by the features of the modality, in the data's units.

        Raises
        ------
        InputError
            If there is no such modality, or it was not imputed.
        """
        return self._found.imputed_table(mod, sd=sd)

    def skill(self, mod: str) -> pd.DataFrame:
        """Say how well each feature of a modality is predicted from the others.

        Parameters
        ----------
        mod
            The modality.

        Returns
        -------
        pandas.DataFrame
            Features by ``r2`` in held-out observations (NaN where it could not be judged) and ``imputable``.

        Raises
        ------
        InputError
            If there is no such modality, or nothing was held out.
        """
        return self._found.skill(mod)

    def loadings(self, mod: str) -> pd.DataFrame:
        """Give the weight of each latent dimension on each feature of a modality.

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
            If there is no such modality, or the decoder is not linear.
        """
        return self._found.loadings(mod)


mudata.register_mudata_namespace("omixvae")(Accessor)
