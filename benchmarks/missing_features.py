"""What latents of new samples lose with the features that the new data lack.

python -m benchmarks.missing_features --data FOLDER [-o missing_features.json]
"""

import warnings
from pathlib import Path

import click
import mudata
import numpy as np
from anndata import AnnData

import omixvae
from benchmarks.tables import data_option, output_option, report

SETS = ("tcga_acc_mini", "nutrimouse", "pbmc_eccite_control")
LACKING = (0.1, 0.3, 0.5, 0.8, 0.9)
DRAWS = 3


@click.command()
@data_option
@output_option
def main(data: Path, output: Path | None) -> None:
    """Train on three quarters of each set, and hide features of the last quarter."""
    warnings.simplefilter("ignore")
    tables = {}
    for name in SETS:
        mdata = mudata.read_h5mu(data / f"{name}.h5mu")
        order = np.random.default_rng(0).permutation(mdata.n_obs)
        first = 3 * mdata.n_obs // 4
        model = omixvae.OmixVAE(progress=False).fit(mdata[np.sort(order[:first])].copy())
        new = mdata[np.sort(order[first:])].copy()
        tables[f"{name}: {new.n_obs} new samples"] = [_row(model, new, modality) for modality in new.mod]
    report(tables, output)
    click.echo("Of each: R² of the latents that all features lead to / samples that stay in their cluster.")


def _row(model: omixvae.OmixVAE, new: mudata.MuData, modality: str) -> dict[str, object]:
    """Look at latents and clusters from one modality alone: no other modality makes up for what is lacking."""
    adata = new[modality]
    latent, cluster = _found(model, modality, adata)
    row: dict[str, object] = {"modality": modality, "features": adata.n_vars}
    for part in LACKING:
        losses = []
        for draw in range(DRAWS):
            n_kept = max(1, round((1 - part) * adata.n_vars))
            kept = np.sort(np.random.default_rng(draw).permutation(adata.n_vars)[:n_kept])
            changed, moved = _found(model, modality, adata[:, kept])
            r2 = 1 - ((changed - latent) ** 2).sum() / ((latent - latent.mean(0)) ** 2).sum()
            losses.append((r2, (moved == cluster).mean()))
        r2, same = np.mean(losses, axis=0)
        row[f"lacking {part:.0%}"] = f"{r2:.2f} / {same:.0%}"
    return row


def _found(model: omixvae.OmixVAE, modality: str, adata: AnnData) -> tuple[np.ndarray, np.ndarray]:
    """Give latents and clusters of the samples of one modality."""
    data = model.read(mudata.MuData({modality: adata.copy()}), allow_missing_features=True)
    return model.latent(data)[0], model.clusters(data)[0].to_numpy(str)


if __name__ == "__main__":
    main()
