"""What the tests of the book's names share: a FashionMNIST of few images."""

from collections.abc import Callable

import pytest

from convlens.data.image_set import DataSet

Cap = Callable[[int], None]


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch, small: DataSet) -> Cap:
    """Lets each `FashionMNIST` made from now on have so many images, and ten to validate on."""

    def cap(num_images: int) -> None:
        few = DataSet(train=small.train[:num_images], test=small.test[:10], files=small.files)

        def load(root: object) -> DataSet:
            del root
            return few

        monkeypatch.setattr("convlens.d2l.data.load_fashion_mnist", load)

    return cap
