"""Four pictures of what the method does, computed from small simulated data whose truth is known.

python -m benchmarks.ideas [--seed 0] [-o docs/pictures]
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata
import click
import matplotlib
import mudata
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn.metrics import adjusted_rand_score

import omixvae
from benchmarks.tables import show

TRAINED, HELD_OUT = 1500, 400
EPOCHS = 40
NINETY = 1.645
"""Standard deviations on either side of the mean that hold 90 % of a Gaussian."""
NINETY_2D = 2.146
"""The same for the radius of an ellipse in two dimensions."""

# Okabe and Ito's colours
BLACK, GREY, ORANGE, SKY, GREEN = "#000000", "#7F7F7F", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "omixvae",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Known:
    """Observations from a known model: each modality is a weighted sum of hidden factors, plus noise of variance one.

    Parameters
    ----------
    factors
        Shape (n, k): the truth.
    weights
        Shape (k, features) of each modality: how each factor shows in it.
    values
        Shape (n, features) of each modality: what is measured.
    """

    factors: np.ndarray
    weights: dict[str, np.ndarray]
    values: dict[str, np.ndarray]

    @classmethod
    def draw(cls, factors: np.ndarray, strengths: dict[str, tuple[int, list[float]]], rng: np.random.Generator):
        """Draw weights and values, for the number of features and the strength of each factor in each modality."""
        weights = {
            name: np.array(strength)[:, None] * rng.standard_normal((len(strength), n_features))
            for name, (n_features, strength) in strengths.items()
        }
        values = {name: factors @ w + rng.standard_normal((len(factors), w.shape[1])) for name, w in weights.items()}
        return cls(factors, weights, values)

    def trained(self) -> mudata.MuData:
        """Give the observations to train on."""
        return self._mudata(slice(0, TRAINED))

    def held_out(self) -> mudata.MuData:
        """Give the observations that no model has seen."""
        return self._mudata(slice(TRAINED, None))

    def _mudata(self, rows: slice) -> mudata.MuData:
        names = np.array([f"observation{i:04d}" for i in range(len(self.factors))])[rows]
        mods = {}
        for name, values in self.values.items():
            features = pd.DataFrame(index=[f"{name}{j:02d}" for j in range(values.shape[1])])
            mods[name] = anndata.AnnData(values[rows].astype(np.float32), pd.DataFrame(index=names), features)
        return mudata.MuData(mods)

    def exact_covariance(self, given: Sequence[str]) -> np.ndarray:
        """Give the covariance of the factors once `given` is measured, by the formula for Gaussians: best possible."""
        precision = np.eye(self.factors.shape[1])
        for name in given:
            precision = precision + self.weights[name] @ self.weights[name].T
        return np.linalg.inv(precision)

    def exact_mean(self, given: Sequence[str]) -> np.ndarray:
        """Give the best possible estimate of the factors of the held-out observations, likewise."""
        evidence = sum(self.values[name][TRAINED:] @ self.weights[name].T for name in given)
        return evidence @ self.exact_covariance(given)


@dataclass(frozen=True)
class Turned:
    """A model whose latent is turned onto the true factors; turned, not stretched, so that doubt keeps its size."""

    model: omixvae.OmixVAE
    held_out: mudata.MuData
    turn: np.ndarray

    @classmethod
    def fit(cls, known: Known, **options: object):
        """Train, and find the turn from the observations that were trained on."""
        trained = known.trained()
        model = omixvae.OmixVAE(progress=False, max_epochs=EPOCHS, **options).fit(trained)
        left, _, right = np.linalg.svd(model.latent(trained)[0].T @ known.factors[:TRAINED])
        return cls(model, known.held_out(), left @ right)

    def belief(self, given: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Give mean (n, k) and covariance (n, k, k) of the true factors of the held-out observations."""
        mean, sd = self.model.latent(self.held_out, given)
        return mean @ self.turn, np.einsum("ki,nk,kj->nij", self.turn, sd**2, self.turn)


@click.command()
@click.option("--seed", default=0, show_default=True, help="Seed of data and models.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="docs/pictures",
    show_default=True,
    help="Folder to write the pictures to.",
)
def main(seed: int, output: Path) -> None:
    """Draw the four pictures of the page "Ideas", and print the numbers that it quotes."""
    warnings.simplefilter("ignore")
    matplotlib.use("Agg")
    plt.rcParams.update(STYLE)
    output.mkdir(parents=True, exist_ok=True)
    for name, picture in {
        "bound": draw_bound,
        "aggregation": draw_aggregation,
        "private": draw_private,
        "prior": draw_prior,
    }.items():
        figure = picture(seed)
        figure.savefig(output / f"{name}.svg", dpi=150, metadata={"Date": None})
        plt.close(figure)


def draw_bound(seed: int) -> Figure:
    """Compare two bounds: what is believed about a factor that only protein shows, without protein and with it."""
    mods, factors = ("rna", "methylation", "protein"), ("shared", "RNA only", "methylation only", "protein only")
    rng = np.random.default_rng(seed)
    strengths = {
        "rna": (40, [0.6, 0.5, 0, 0]),
        "methylation": (40, [0.6, 0, 0.5, 0]),
        "protein": (20, [0.8, 0, 0, 0.7]),
    }
    known = Known.draw(rng.standard_normal((TRAINED + HELD_OUT, 4)), strengths, rng)
    truth = known.factors[TRAINED:]
    shown = np.argsort(truth[:40, 3])

    figure, axes = plt.subplots(1, 3, figsize=(7.2, 3.1), width_ratios=(1, 1, 0.9))
    axes[1].sharey(axes[0])
    rows = []
    recovered = {"best possible": _explained(known.exact_mean(mods), truth)}
    for axis, objective, colour in zip(axes, ("masked", "mixture"), (BLUE, VERMILLION), strict=False):
        turned = Turned.fit(known, objective=objective, n_latent=4, n_private=0, prior="standard_normal", seed=seed)
        for given in (mods, mods[:2]):
            mean, covariance = turned.belief(given)
            sd = np.sqrt(covariance[:, 3, 3])
            protein = (
                turned.model.impute(turned.held_out, "protein", given)[0].to_numpy() - known.values["protein"][TRAINED:]
            )
            rows.append(
                {
                    "bound": objective,
                    "seen": " + ".join(given),
                    "sd": float(sd.mean()),
                    "best possible": float(np.sqrt(known.exact_covariance(given)[3, 3])),
                    "truth within 90 %": float((abs(truth[:, 3] - mean[:, 3]) < NINETY * sd).mean()),
                    "rms error of protein": float(np.sqrt((protein**2).mean())),
                }
            )
        _intervals(axis, mean[shown, 3], NINETY * sd[shown], truth[shown, 3], colour)
        axis.set_title(f'objective="{objective}"\nprotein not measured')
        recovered[objective] = _explained(turned.belief(mods)[0], truth)
    axes[0].set_ylabel("protein-only factor (sd)")
    _recovered(axes[2], recovered, factors)
    show("Bound: belief about a factor that only protein shows, held-out observations", rows)
    show(
        "Bound: share of each factor recovered from all modalities",
        [
            {"": name, **{f: float(v) for f, v in zip(factors, values, strict=True)}}
            for name, values in recovered.items()
        ],
    )
    return figure


def _intervals(axis: Axes, mean: np.ndarray, half: np.ndarray, truth: np.ndarray, colour: str) -> None:
    """Draw the interval of each observation, and where the truth is."""
    x = np.arange(len(mean))
    axis.vlines(x, mean - half, mean + half, color=colour, alpha=0.45, linewidth=2.6, label="belief, 90 %")
    axis.plot(x, truth, "o", color=BLACK, markersize=2.8, label="truth")
    axis.set_xticks([])
    axis.set_xlabel(f"{len(mean)} observations")
    axis.legend(loc="upper left", handlelength=1, borderaxespad=0, handletextpad=0.4)
    axis.set_ylim(-3.3, 4.6)


def _recovered(axis: Axes, share: dict[str, np.ndarray], factors: Sequence[str]) -> None:
    """Draw the share of each factor that is recovered, one row of marks per factor."""
    y = np.arange(len(factors))[::-1]
    for (name, values), colour, marker in zip(share.items(), (BLACK, BLUE, VERMILLION), ("|", "o", "D"), strict=True):
        axis.plot(
            values, y, marker, color=colour, markersize=13 if marker == "|" else 6, markeredgewidth=1.5, label=name
        )
    axis.set_yticks(y, [f.replace(" only", "\nonly") for f in factors])
    axis.set(ylim=(-0.5, len(factors) + 1.1), xlim=(0.8, 1))
    axis.set_xlabel("share recovered (R²)")
    axis.set_title("All three measured\n")
    axis.legend(loc="upper left", borderaxespad=0, handletextpad=0.2)


def _explained(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Give R² of each column: 1 is perfect, 0 no better than the mean."""
    return 1 - ((estimate - truth) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)


def draw_aggregation(seed: int) -> Figure:
    """Draw what is believed about one cell from nothing, RNA, protein and both."""
    rng = np.random.default_rng(seed)
    strengths = {"rna": (40, [0.4, 0.1]), "protein": (15, [0.15, 0.6])}
    known = Known.draw(rng.standard_normal((TRAINED + HELD_OUT, 2)), strengths, rng)
    truth = known.factors[TRAINED:]
    turned = Turned.fit(known, n_latent=2, n_private=0, prior="standard_normal", seed=seed)
    cell = int(np.linalg.norm(truth - [1.0, 0.8], axis=1).argmin())

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1), width_ratios=(1, 0.8))
    rows = []
    sets = {"nothing": (), "RNA": ("rna",), "protein": ("protein",), "both": ("rna", "protein")}
    for (name, given), colour in zip(sets.items(), (GREY, ORANGE, BLUE, GREEN), strict=True):
        mean, covariance = turned.belief(given)
        exact = known.exact_covariance(given)
        centre = known.exact_mean(given)[cell] if given else np.zeros(2)
        _ellipse(left, mean[cell], covariance[cell], facecolor=colour, alpha=0.22, linewidth=0)
        _ellipse(left, mean[cell], covariance[cell], facecolor="none", edgecolor=colour, linewidth=1.8, label=name)
        _ellipse(left, centre, exact, facecolor="none", edgecolor=BLACK, linewidth=0.9, linestyle=(0, (3, 2)))
        off = truth - mean
        distance = np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariance), off)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).mean(0)
        rows.append(
            {
                "measured": name,
                **{f"sd of {f}": float(v) for f, v in zip(("lineage", "activation"), sd, strict=True)},
                **{
                    f"best {f}": float(v)
                    for f, v in zip(("lineage", "activation"), np.sqrt(np.diag(exact)), strict=True)
                },
                "truth within 90 % ellipse": float((distance < NINETY_2D**2).mean()),
            }
        )
    left.plot(*truth[cell], "P", color=BLACK, markeredgecolor="white", markersize=10, label="truth", linestyle="none")
    left.plot([], [], color=BLACK, linewidth=0.9, linestyle=(0, (3, 2)), label="best possible")
    left.set(xlim=(-2.4, 3.2), ylim=(-2.4, 2.6), aspect="equal", xlabel="lineage factor (sd)")
    left.set(ylabel="activation factor (sd)", title="One cell: where it may be (90 %)")
    left.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    _doubts(right, rows)
    show("Aggregation: doubt about held-out cells", rows)
    return figure


def _ellipse(axis: Axes, mean: np.ndarray, covariance: np.ndarray, **style: object) -> None:
    """Draw the ellipse that holds 90 % of a Gaussian."""
    variance, direction = np.linalg.eigh(covariance)
    width, height = 2 * NINETY_2D * np.sqrt(variance)
    axis.add_patch(Ellipse(tuple(mean), width, height, angle=np.degrees(np.arctan2(*direction[::-1, 0])), **style))


def _doubts(axis: Axes, rows: Sequence[dict[str, object]]) -> None:
    """Draw the mean doubt about each factor, by what is measured."""
    x = np.arange(len(rows))
    for factor, colour, marker, shift in (("lineage", PURPLE, "o", -0.16), ("activation", SKY, "s", 0.16)):
        axis.plot(x + shift, [r[f"sd of {factor}"] for r in rows], marker, color=colour, markersize=8, label=factor)
        axis.plot(x + shift, [r[f"best {factor}"] for r in rows], "_", color=BLACK, markersize=11, markeredgewidth=1.3)
    axis.plot([], [], "_", color=BLACK, markersize=12, label="best possible")
    axis.set_xticks(x, [str(r["measured"]) for r in rows])
    axis.set(ylim=(0, 1.5), xlim=(-0.5, 3.5), ylabel="doubt (sd)", title=f"Mean of {HELD_OUT} held-out cells")
    axis.set_xlabel("measured")
    axis.legend(loc="upper right", borderaxespad=0)


def draw_private(seed: int) -> Figure:
    """Show which latent holds which factor, for latents of the right size and for the default size."""
    rng = np.random.default_rng(seed)
    strengths = {"rna": (60, [0.45, 0.45, 0]), "protein": (20, [0.8, 0, 0.8])}
    known = Known.draw(rng.standard_normal((TRAINED + HELD_OUT, 3)), strengths, rng)
    trained, held_out = known.trained(), known.held_out()
    factors = ("shared", "RNA only", "protein only")
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.1), sharey=True)
    for axis, sizes in zip(axes, ({"n_latent": 1, "n_private": 1}, {}), strict=True):
        model = omixvae.OmixVAE(progress=False, max_epochs=EPOCHS, prior="standard_normal", seed=seed, **sizes).fit(
            trained
        )
        found = {"shared": _probe(model.latent(trained)[0], model.latent(held_out)[0], known.factors)}
        for mod in known.values:
            inside, outside = model.private_latent(trained, mod)[0], model.private_latent(held_out, mod)[0]
            found[mod] = _probe(inside, outside, known.factors)
        n_private = model.plan.modalities[0].n_private
        size = f"{model.plan.n_latent} shared, {n_private} private dimension{'s' * (n_private > 1)}"
        name = "as many as there are" if sizes else "default"
        _table(axis, np.array(list(found.values())).T, f"{name}:\n{size}", factors)
        show(
            f"Private: share of each factor (column) found in each latent, {size}",
            [{"latent": k, **{f: float(v) for f, v in zip(factors, r, strict=True)}} for k, r in found.items()],
        )
    axes[0].set_ylabel("true factor")
    return figure


def _probe(inside: np.ndarray, outside: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Give R² of each held-out factor from a latent, by the linear regression of those trained on."""
    design = np.c_[np.ones(TRAINED), inside]
    coefficients = np.linalg.lstsq(design, factors[:TRAINED], rcond=None)[0]
    return _explained(np.c_[np.ones(len(outside)), outside] @ coefficients, factors[TRAINED:]).clip(min=0)


def _table(axis: Axes, share: np.ndarray, title: str, factors: Sequence[str]) -> None:
    """Draw a matrix of shares with its numbers."""
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (i, j), value in np.ndenumerate(share):
        axis.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else BLACK, fontsize=11)
    axis.set_xticks(range(3), ["shared", "RNA's\nprivate", "protein's\nprivate"])
    axis.set_yticks(range(3), factors)
    axis.set(title=title, xlabel="inferred latent")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def draw_prior(seed: int) -> Figure:
    """Draw the components of the mixture prior, and a cell that RNA alone cannot place."""
    types, colours = ("CD4 T", "CD8 T", "B", "monocyte"), (BLUE, ORANGE, GREEN, PURPLE)
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, TRAINED + HELD_OUT, p=[0.35, 0.3, 0.2, 0.15])
    centres = np.array([[-2.0, 1.5], [-2.0, -1.5], [0.8, -0.8], [3.2, 0.8]])
    factors = centres[kind] + 0.4 * rng.standard_normal((len(kind), 2))
    known = Known.draw(factors, {"rna": (60, [0.5, 0.06]), "protein": (15, [0.5, 0.8])}, rng)
    model = omixvae.OmixVAE(progress=False, max_epochs=EPOCHS, n_latent=2, n_private=0, seed=seed).fit(known.trained())
    held_out, truth = known.held_out(), kind[TRAINED:]
    sets = {"nothing": [], "RNA": ["rna"], "RNA + protein": ["rna", "protein"]}
    placed = {name: model.clusters(held_out, given) for name, given in sets.items()}
    best = placed["RNA + protein"][0].cat.codes.to_numpy()
    counts = np.array([np.bincount(truth[best == c], minlength=4) for c in range(placed["RNA"][1].shape[1])])
    names = [types[c] for c in counts.argmax(1)]
    top_two = np.sort(placed["RNA"][1].to_numpy(), axis=1)[:, -2:]
    cell = int(top_two[:, 0].argmax())
    _print_prior(placed, truth, counts.argmax(1))
    show(
        f"Prior: the cell between two clusters, in truth {types[truth[cell]]}",
        [
            {"measured": m, **dict(zip(names, p.to_numpy()[cell].astype(float), strict=True))}
            for m, (_, p) in placed.items()
        ],
    )

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.8), width_ratios=(1, 1))
    palette = [colours[types.index(n)] for n in names]
    _components(left, model, held_out, [palette[c] for c in best], palette, names)
    for name, style in (("RNA", (0, (3, 1.5))), ("RNA + protein", "-")):
        mean, sd = (m[cell] for m in model.latent(held_out, sets[name]))
        _ellipse(left, mean, np.diag(sd**2), facecolor="none", edgecolor=BLACK, linewidth=1.8, linestyle=style)
        left.plot([], [], color=BLACK, linewidth=1.8, linestyle=style, label=f"one cell, from {name}")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    _bars(right, {name: p.to_numpy()[cell] for name, (_, p) in placed.items()}, palette, names)
    return figure


def _print_prior(placed: dict[str, tuple[pd.Series, pd.DataFrame]], truth: np.ndarray, meaning: np.ndarray) -> None:
    rows = []
    for name, (cluster, probability) in placed.items():
        p = probability.to_numpy()
        right = meaning[cluster.cat.codes] == truth
        unsure = p.max(1) < 0.9
        rows.append(
            {
                "measured": name,
                "clusters": p.shape[1],
                "ARI": float(adjusted_rand_score(truth, cluster)),
                "right": float(right.mean()),
                "mean probability": float(p.max(1).mean()),
                "below 0.9": float(unsure.mean()),
                "right where above 0.9": float(right[~unsure].mean()) if (~unsure).any() else "",
            }
        )
    show("Prior: clusters of held-out cells", rows)


def _components(
    axis: Axes, model: omixvae.OmixVAE, held_out: mudata.MuData, points: list[str], palette: list[str], names: list[str]
) -> None:
    """Draw the held-out cells in latent space, and where 90 % of each component lies."""
    latent, _ = model.latent(held_out)
    axis.scatter(*latent.T, c=points, s=7, alpha=0.6, linewidths=0, rasterized=True)
    prior = model.network.prior()
    for c, (name, colour) in enumerate(zip(names, palette, strict=True)):
        mean, scale = prior.loc[c].detach().numpy(), prior.scale[c].detach().numpy()
        _ellipse(axis, mean, np.diag(scale**2), facecolor="none", edgecolor=colour, linewidth=1.8)
        axis.plot([], [], "o", color=colour, markersize=7, label=f"{c}: {name}")
    axis.set(xlabel="shared latent 1", ylabel="shared latent 2", title="Held-out cells and components", aspect="equal")
    axis.margins(0.08)


def _bars(axis: Axes, probabilities: dict[str, np.ndarray], palette: list[str], names: list[str]) -> None:
    """Draw the probabilities of one cell as one stacked bar for each set of modalities."""
    for y, p in zip((2, 1, 0), probabilities.values(), strict=True):
        start = np.concatenate([[0], p.cumsum()[:-1]])
        axis.barh(y, p, left=start, color=palette, height=0.4, edgecolor="white")
        for x, width, name in zip(start, p, names, strict=True):
            if width > 0.1:
                axis.text(x + width / 2, y + 0.22, f"{name}\n{width:.2f}", ha="center", va="bottom", fontsize=9)
    axis.set_yticks((2, 1, 0), [name.replace(" + ", "\n+ ") for name in probabilities])
    axis.set(xlim=(0, 1), ylim=(-0.5, 3), xlabel="probability of each cluster", title="That cell, by what is measured")


if __name__ == "__main__":
    main()
