"""Make the pictures of the gallery: `python docs/make_gallery.py`, under two minutes on one core.

They are kept in docs/pictures/gallery, so that building the site draws nothing. Each is what the page's call draws, on
a simulated set of which the truth is known.
"""

import warnings
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import mudata
import numpy as np
import pandas as pd
from PIL import Image

import omixvae

FOLDER = Path(__file__).parent / "pictures" / "gallery"


def cells() -> tuple[mudata.MuData, omixvae.OmixVAE]:
    """Simulate a CITE-seq set whose types overlap, with some cells that lack RNA or protein, and train on it."""
    whole = omixvae.simulate(n_obs=2000, n_genes=120, n_clusters=9, n_latent=2, seed=3)
    measured = np.random.default_rng(0).random(whole.n_obs) < 0.9
    measured |= ~np.isin(whole.obs_names, whole["protein"].obs_names)
    mdata = mudata.MuData({"rna": whole["rna"][measured].copy(), "protein": whole["protein"]})
    mdata.obs["cell_type"] = whole.obs["cluster"]
    mdata.obs["batch"] = whole.obs["batch"]
    return mdata, omixvae.fit(mdata, batch_key="batch", progress=False)


def cohort() -> tuple[mudata.MuData, omixvae.OmixVAE]:
    """Take logged counts of 200 cells for a cohort: small enough for a linear decoder, and so for loadings."""
    mdata = omixvae.simulate(n_obs=200, n_genes=150, n_clusters=3, n_latent=3, missing=0.5, seed=1)
    for adata in mdata.mod.values():
        adata.X = np.log1p(adata.X.toarray())
    return mdata, omixvae.fit(mdata, batch_key="batch", n_latent=6, progress=False)


def keep(name: str) -> None:
    """Write the figure that was drawn last, in 200 colours, which makes the file small."""
    with BytesIO() as drawn:
        plt.gcf().savefig(drawn, format="png", dpi=100, bbox_inches="tight")
        picture = Image.open(drawn).convert("RGB").quantize(200, dither=Image.Dither.NONE)
    picture.save(FOLDER / f"{name}.png", optimize=True)
    plt.close("all")


def standardised(table: pd.DataFrame) -> np.ndarray:
    """Bring counts into one range for a picture: logarithms, in standard units of each feature."""
    logged = np.log1p(table)
    return ((logged - logged.mean()) / logged.std()).to_numpy()


def overview(mdata: mudata.MuData) -> None:
    """Draw what goes in, the latents, and what comes out: rows are cells in the order of their clusters."""
    there = {name: mdata.obsm[name] for name in mdata.mod}
    order = mdata.obs.assign(**there).sort_values(["omixvae_cluster", *there], ascending=[True, False, False]).index
    measured, complete = [], []
    for name, adata in mdata.mod.items():
        values = adata.to_df().loc[:, adata.to_df().var().sort_values().index[-14:]]
        measured.append(standardised(values.reindex(order)))
        complete.append(standardised(omixvae.imputed(mdata, name).loc[order, values.columns]))
    _, axes = plt.subplots(1, 3, figsize=(10, 3.4), width_ratios=[1, 1.35, 1], layout="constrained")
    for ax, parts, title in zip(
        axes[::2], (measured, complete), ("what was measured", "measured or predicted"), strict=True
    ):
        gap = np.full((len(order), 1), np.nan)
        colours = plt.get_cmap("viridis").with_extremes(bad="0.88")
        ax.imshow(np.hstack([parts[0], gap, parts[1]]), cmap=colours, vmin=-2, vmax=2, aspect="auto")
        ax.axvline(14, color="white", linewidth=5)
        ax.set(title=title, xticks=[6.5, 21.5], xticklabels=list(mdata.mod), yticks=[], ylabel="cells")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    omixvae.pl.latent(mdata, "omixvae_cluster", ax=axes[1])
    axes[1].set(title="shared latents and clusters", xlabel="", ylabel="")
    axes[1].spines[:].set_visible(False)


def main() -> None:
    """Draw everything."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", r"From 0\.4", FutureWarning)  # the plans of mudata 0.3
    mdata, model = cells()
    overview(mdata)
    keep("overview")
    omixvae.pl.latent(mdata, ["cell_type", "presence", "cluster", "cluster_entropy", "batch"])
    keep("latent")
    omixvae.pl.latent(mdata, ["protein:protein03", "protein:protein08"])
    keep("latent_features")
    omixvae.pl.history(mdata)
    keep("history")
    omixvae.pl.presence(mdata)
    keep("presence")
    omixvae.pl.information(mdata)
    keep("information")
    omixvae.pl.imputation(mdata, "protein", model=model)
    keep("imputation")
    omixvae.pl.clusters(mdata)
    keep("clusters")
    omixvae.pl.clusters(mdata, "cell_type")
    keep("clusters_labels")
    mdata, model = cohort()
    omixvae.pl.loadings(mdata, "rna")
    keep("loadings")
    omixvae.pl.variance_explained(model.variance_explained(mdata))
    keep("variance_explained")


if __name__ == "__main__":
    main()
