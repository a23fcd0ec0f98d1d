"""`mdata.omixvae`, after `import omixvae.accessor`: training and results at hand where the MuData is."""

from typing import Unpack

import mudata

from omixvae.keywords import Options
from omixvae.model import OmixVAE, fit
from omixvae.results.read import Results

__all__ = ["Accessor"]


class Accessor(Results):
    """Results of omixvae in a MuData, as ``mdata.omixvae``: those of `omixvae.results.read.Results`, and `fit`.

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
        super().__init__(mdata)

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
        return fit(self.mdata, **options)


mudata.register_mudata_namespace("omixvae")(Accessor)
