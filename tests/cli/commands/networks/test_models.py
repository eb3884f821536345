"""`convlens models`, as a user meets it."""

from convlens.models.catalog import MODELS
from tests.cli.conftest import Convlens


def test_every_model_is_listed_with_its_parameters(convlens: Convlens) -> None:
    result = convlens("models", "--json")
    assert result.json["models"].keys() == MODELS.keys()
    assert result.json["models"]["lenet"]["num_parameters"] == 61_706


def test_the_table_is_for_people(convlens: Convlens) -> None:
    result = convlens("models")
    assert "61,706" in result.out
    assert "LeCun et al. (1998)" in result.out
