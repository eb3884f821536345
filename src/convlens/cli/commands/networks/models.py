"""`convlens models`: the networks there are."""

from convlens.cli import options
from convlens.cli.console import print_json, print_table


def models(as_json: options.Json = False) -> None:
    """List the models: parameters, what they are, and their source.

    \b
    Examples:
      convlens models
      convlens models --json
    """
    import torch

    from convlens.models.catalog import MODELS, num_parameters

    with torch.device("meta"):  # shapes without numbers
        counts = {name: num_parameters(entry.build(entry.preset)) for name, entry in MODELS.items()}
    if as_json:
        content = {
            name: {
                "num_parameters": counts[name],
                "image_size": entry.preset.image_size,
                "about": entry.about,
                "source": entry.source,
            }
            for name, entry in MODELS.items()
        }
        print_json({"models": content})
        return
    print_table(
        ["model", "parameters", "image", "what", "source"],
        [
            [
                name,
                f"{counts[name]:,}",
                f"{entry.preset.in_channels}x{entry.preset.image_size}x{entry.preset.image_size}",
                entry.about,
                entry.source,
            ]
            for name, entry in MODELS.items()
        ],
    )
