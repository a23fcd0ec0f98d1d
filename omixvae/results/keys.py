"""The names under which results stand in a MuData: each is spelled here, and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["AXES", "AXES_OF_MODALITY", "Keys"]

AXES = ("obsm", "obs")
AXES_OF_MODALITY = ("obsm", "varm", "var")
"""Where results stand besides uns: in a MuData, and in each of its modalities."""


@dataclass(frozen=True)
class Keys:
    """Names of results.

    Parameters
    ----------
    added
        The option `key_added`, with which each name begins, but for an ``X_`` before names of coordinates.

    Examples
    --------
    >>> keys = Keys("omixvae")
    >>> keys.latent, keys.cluster, keys.imputed("protein")
    ('X_omixvae', 'omixvae_cluster', 'omixvae_imputed_protein')
    """

    added: str

    @property
    def latent(self) -> str:
        """Shared latent, in obsm."""
        return f"X_{self.added}"

    @property
    def latent_sd(self) -> str:
        """Its standard deviation, in obsm."""
        return f"{self.latent}_sd"

    @property
    def embedding(self) -> str:
        """Picture of the latents in two dimensions, in obsm."""
        return f"{self.latent}_umap"

    @property
    def cluster(self) -> str:
        """Most probable cluster, in obs."""
        return f"{self.added}_cluster"

    @property
    def cluster_entropy(self) -> str:
        """How unsure the cluster is, in obs."""
        return f"{self.added}_cluster_entropy"

    @property
    def cluster_probabilities(self) -> str:
        """Probability of each cluster, in obsm."""
        return f"{self.added}_cluster_probs"

    def imputed(self, modality: str) -> str:
        """Name the values of a modality, predicted where none was measured, in obsm."""
        return f"{self.added}_imputed_{modality}"

    def imputed_sd(self, modality: str) -> str:
        """Name the standard deviation of these, in obsm."""
        return f"{self.imputed(modality)}_sd"

    @property
    def private(self) -> str:
        """Private latent, in obsm of its modality."""
        return f"{self.latent}_private"

    @property
    def loadings(self) -> str:
        """Weights of the latents on each feature, in varm of its modality."""
        return f"{self.added}_loadings"

    @property
    def coverage(self) -> str:
        """Typical coverage of each feature, in var of its modality."""
        return f"{self.added}_coverage"

    @property
    def imputation_r2(self) -> str:
        """How well each feature is predicted from other modalities, in var of its modality."""
        return f"{self.added}_imputation_r2"

    @property
    def imputable(self) -> str:
        """Whether each feature can be predicted, in var of its modality."""
        return f"{self.added}_imputable"

    def among(self, names: Iterable[str], axis: str, *, of_modality: bool = False) -> list[str]:
        """Pick the names of results, also those of earlier runs.

        Parameters
        ----------
        names
            Names on an axis.
        axis
            ``"obs"``, ``"obsm"``, ``"var"`` or ``"varm"``.
        of_modality
            Whether it is an axis of a modality, or of the MuData itself.

        Returns
        -------
        list of str
            Those of `names` that are results.

        Examples
        --------
        >>> Keys("omixvae").among(["X_pca", "X_omixvae"], "obsm")
        ['X_omixvae']
        """
        of_mudata = {
            "obsm": (self.latent, self.latent_sd, self.embedding, self.cluster_probabilities),
            "obs": (self.cluster, self.cluster_entropy),
        }
        of_each = {
            "obsm": (self.private,),
            "varm": (self.loadings,),
            "var": (self.coverage, self.imputation_r2, self.imputable),
        }
        results = (of_each if of_modality else of_mudata).get(axis, ())
        imputed = self.imputed("") if axis == "obsm" and not of_modality else None
        return [name for name in names if name in results or (imputed and name.startswith(imputed))]
