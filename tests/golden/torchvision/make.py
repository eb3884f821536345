"""Write down what torchvision's networks are: run once, in an environment that has torchvision.

    python -m tests.golden.torchvision.make

Per network `NAME.txt` holds the name and shape of each entry of its state dict, and
`networks.toml` its parameters, its MACs at 3x224x224, and for some the logits of weights that
`filling.py` makes. The versions used stand in the file's first line.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.golden.torchvision.filling import image, weight

HERE = Path(__file__).parent
NETWORKS = {
    "alexnet": {},
    **{f"vgg{depth}{norm}": {} for depth in (11, 13, 16, 19) for norm in ("", "_bn")},
    "googlenet": {"init_weights": False, "aux_logits": False},
    "googlenet_aux": {"init_weights": False, "aux_logits": True},
    **{f"resnet{depth}": {} for depth in (18, 34, 50, 101, 152)},
    "wide_resnet50_2": {},
    "wide_resnet101_2": {},
    "resnext50_32x4d": {},
    "resnext101_32x8d": {},
    "resnext101_64x4d": {},
    **{f"densenet{depth}": {} for depth in (121, 161, 169, 201)},
    **{f"regnet_x_{size}": {} for size in ("400mf", "800mf", "1_6gf", "3_2gf")},
}
RUN = (
    "alexnet", "vgg11_bn", "googlenet", "resnet18", "resnet50", "wide_resnet50_2",
    "resnext50_32x4d", "densenet121", "regnet_x_400mf",
)  # fmt: skip
RUN_SIZE = 64


def describe(name: str, settings: dict[str, Any], models: Any) -> list[str]:
    """The lines of `networks.toml` for one network; writes its `NAME.txt`."""
    build = getattr(models, name.removesuffix("_aux"))
    network = build(weights=None, **settings).to("meta").eval()  # RegNets are not built on meta
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 224, 224))
    state = network.state_dict()
    rows = [f"{key} {'x'.join(map(str, value.shape))}".strip() for key, value in state.items()]
    (HERE / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = [
        f"[{name}]",
        f"num_parameters = {sum(p.numel() for p in network.parameters()):_}",
        f"macs = {counter.get_total_flops() // 2:_}",
    ]
    if name in RUN:
        network.to_empty(device="cpu")
        filled = {key: weight(key, tuple(value.shape)) for key, value in state.items()}
        network.load_state_dict(filled)
        with torch.inference_mode():
            logits = network.eval()(image(3, RUN_SIZE))
        shown = [[round(value, 6) for value in row[:5].tolist()] for row in logits]
        lines += [f"logits = {shown} # the first five of two images of {RUN_SIZE}x{RUN_SIZE}"]
    return lines


def main() -> None:
    """Write the files."""
    torchvision: Any = importlib.import_module("torchvision")
    lines = [f"# torchvision {torchvision.__version__}, torch {torch.__version__}"]
    for name, settings in NETWORKS.items():
        lines += ["", *describe(name, settings, torchvision.models)]
        print(name)
    (HERE / "networks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
