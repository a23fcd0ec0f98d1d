"""What each of several processes does in `test_processes.py`: run by torchrun, it leaves what it saw in a file.

Usage: in_processes.py FOLDER
"""

import os
import sys
from pathlib import Path

import mudata
import torch
from builders import build_mdata, plan_of
from torch import distributed, nn

import omixvae
from omixvae.data import MaskedModalities, from_mudata
from omixvae.plan import Plan
from omixvae.processes import Processes, join_processes
from omixvae.training.engine import train
from omixvae.vae import MultimodalVAE, new_network

USUAL: dict[str, object] = {
    "prior": "gaussian_mixture",
    "decoder": "mlp",
    "batch_size": 4,
    "held_out": 0.2,
    "private_dropout": 0.5,
    "precision": "float64",
    "max_epochs": 4,
}
CASES: dict[str, dict[str, object]] = {
    "even": {},
    "odd": {"n_obs": 41},
    "rare": {"n_obs": 41, "mutation": 3},
    "no mixture": {"prior": "vamp", "aggregation": "self_attention", "decoder": "linear", "shrinkage": 1.0},
}


def case(name: str) -> tuple[MaskedModalities, Plan, MultimodalVAE]:
    """Give the data, plan and new network of a case: `n_obs` observations, the last modality in a few of them."""
    changes = dict(CASES[name])
    mdata = build_mdata(changes.pop("n_obs", 50))
    few = changes.pop("mutation", None)
    if few is not None:
        mdata = mudata.MuData({**mdata.mod, "mutation": mdata["mutation"][:few].copy()})
    data = from_mudata(mdata)
    plan = plan_of(data, **(USUAL | changes))
    return data, plan, new_network(plan, torch.device("cpu"))


def gradients(processes: Processes) -> list[torch.Tensor | None]:
    """Sum the gradients of three parameters: one has some in each process, one in the first alone, one in none."""
    module = nn.ParameterList([torch.zeros(2), torch.zeros(1), torch.zeros(3)])
    module[0].grad = torch.tensor([1.0, processes.rank])
    module[1].grad = torch.ones(1) if processes.first else None
    processes.sum_gradients(module)
    return [parameter.grad for parameter in module]


def diverged(processes: Processes) -> str:
    """Train a network that is broken in the second process alone."""
    data, plan, network = case("even")
    if processes.rank == 1:
        with torch.no_grad():
            network.likelihoods[1].log_scale[2] = torch.nan
    try:
        train(network, data, plan, processes)
    except omixvae.InputError as error:
        return str(error)
    return "no error"


def refused(n_obs: int, seed: int) -> str:
    """Fit in a script that does not give each process the same."""
    try:
        omixvae.OmixVAE(max_epochs=2, seed=seed, progress=False).fit(build_mdata(n_obs))
    except omixvae.InputError as error:
        return str(error)
    return "no error"


def main(folder: Path) -> None:
    """Do everything once, in the same order in each process."""
    distributed.init_process_group("gloo")  # as a script may that wants to know its rank
    processes = join_processes()
    seen: dict[str, object] = {}
    for name in CASES:
        data, plan, network = case(name)
        seen[name] = train(network, data, plan, processes), network.state_dict()
    seen["gradients"] = gradients(processes)
    seen["diverged"] = diverged(processes)
    seen["other seeds"] = refused(50, seed=processes.rank)
    seen["bad data in the second"] = refused(3 if processes.rank == 1 else 50, seed=0)
    mdata = build_mdata()
    torch.manual_seed(processes.rank)
    model = omixvae.fit(mdata, max_epochs=3, progress=False, encoders={"protein": nn.Linear(5, 8)})
    seen["fit"] = model.network.state_dict(), mdata.obsm["X_omixvae"]
    torch.save(seen, folder / f"{os.environ['RANK']}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
