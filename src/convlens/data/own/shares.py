"""Which images of each class are kept for the test, where nobody has said so.

An image's place follows from a hash of the seed and its name, not from a shuffle of a list: a
picture more or less moves hardly any other from one part to the other.
"""

import hashlib
from collections import defaultdict
from dataclasses import replace

from convlens.core.errors import DataError
from convlens.data.own.listing import Item, Listing


def with_parts(listing: Listing, share: float, seed: int) -> Listing:
    """The listing in which each item is of a part, and each part in an order by chance.

    Raises:
        DataError: a class has too few images to be in both.
    """
    ordered = sorted(listing.items, key=lambda item: place(seed, item.name))
    if any(item.part is None for item in ordered):
        tested = _chosen(listing, ordered, share)
        ordered = [
            replace(item, part="test" if item.name in tested else "train") for item in ordered
        ]
    return replace(listing, items=tuple(ordered))


def place(seed: int, name: str) -> bytes:
    """Where an item stands in an order by chance that depends on its own name only.

    >>> place(0, "cat/1.jpg").hex()[:8], place(1, "cat/1.jpg").hex()[:8]
    ('b0fba5ea', '071f2a8f')
    """
    return hashlib.sha256(f"{seed}:{name}".encode(errors="surrogateescape")).digest()


def _chosen(listing: Listing, ordered: list[Item], share: float) -> set[str]:
    """Of each class the first round(share * count) names, at least one."""
    by_class: defaultdict[str, list[str]] = defaultdict(list)
    for item in ordered:
        by_class[item.label].append(item.name)
    chosen: set[str] = set()
    for label, names in by_class.items():
        if len(names) < 2:
            raise DataError(
                f"{listing.source}: class {label!r} has one picture; it needs one to train on and "
                "one to test on"
            )
        count = min(max(1, round(share * len(names))), len(names) - 1)
        chosen.update(names[:count])
    return chosen
