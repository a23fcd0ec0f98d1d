"""The names under which results stand in a MuData: each is spelled here and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["AXES", "AXES_OF_MODALITY", "Keys"]

AXES = ("obsm", "obs")
AXES_OF_MODALITY = ("obsm", "varm", "var")
"""Where results stand besides uns: in a MuData, and in each of its modalities."""


class _Key:
    """The name of results on an axis, made from `key_added`: what reads them and what deletes them both find it here.

    Parameters
    ----------
    axis
        Where they stand.
    pattern
        The name, with ``{}`` for `key_added`.
    of_modality
        Whether it is an axis of a modality, or of the MuData itself.
    """

    def __init__(self, axis: str, pattern: str, *, of_modality: bool = False) -> None:
        self.axis, self.pattern, self.of_modality = axis, pattern, of_modality

    def __get__(self, keys: "Keys", _: type) -> str:
        return self.pattern.format(keys.added)


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

    latent = _Key("obsm", "X_{}")
    """Shared latent."""
    latent_sd = _Key("obsm", "X_{}_sd")
    """Its standard deviation."""
    embedding = _Key("obsm", "X_{}_umap")
    """Picture of the latents in two dimensions."""
    cluster = _Key("obs", "{}_cluster")
    """Most probable cluster."""
    cluster_entropy = _Key("obs", "{}_cluster_entropy")
    """How unsure the cluster is."""
    cluster_probabilities = _Key("obsm", "{}_cluster_probs")
    """Probability of each cluster."""
    private = _Key("obsm", "X_{}_private", of_modality=True)
    """Private latent."""
    loadings = _Key("varm", "{}_loadings", of_modality=True)
    """Weights of the latents on each feature."""
    coverage = _Key("var", "{}_coverage", of_modality=True)
    """Typical coverage of each feature."""
    imputation_r2 = _Key("var", "{}_imputation_r2", of_modality=True)
    """How well each feature is predicted from other modalities."""
    imputable = _Key("var", "{}_imputable", of_modality=True)
    """Whether each feature can be predicted."""

    def imputed(self, modality: str) -> str:
        """Name the values of a modality, predicted where none was measured, in obsm."""
        return f"{self.added}_imputed_{modality}"

    def imputed_sd(self, modality: str) -> str:
        """Name the standard deviation of these, in obsm."""
        return f"{self.imputed(modality)}_sd"

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
        keys = (key for key in vars(Keys).values() if isinstance(key, _Key))
        results = {key.pattern.format(self.added) for key in keys if (key.axis, key.of_modality) == (axis, of_modality)}
        imputed = self.imputed("") if axis == "obsm" and not of_modality else None
        return [name for name in names if name in results or (imputed and name.startswith(imputed))]
