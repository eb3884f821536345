"""Each error is ConvLens's own and also the one that a Python programmer would expect."""

import pytest

from convlens.core import errors
from convlens.core.errors import ConvLensError

PARENTS: dict[type[ConvLensError], type[Exception]] = {
    errors.ShapeError: ValueError,
    errors.ConfigError: ValueError,
    errors.UnknownName: LookupError,
    errors.DataError: OSError,
    errors.RunError: ConvLensError,
    errors.Diverged: ArithmeticError,
    errors.OutOfMemory: MemoryError,
}


@pytest.mark.parametrize("error", PARENTS)
def test_an_error_is_caught_by_either_of_its_names(error: type[ConvLensError]) -> None:
    with pytest.raises(ConvLensError, match="what happened"):
        raise error("what happened")
    with pytest.raises(PARENTS[error], match="what happened"):
        raise error("what happened")


@pytest.mark.parametrize("error", PARENTS)
def test_an_error_says_what_happened_and_then_the_fix(error: type[ConvLensError]) -> None:
    raised = error("what happened", fix="what to do")
    assert (raised.what, raised.fix) == ("what happened", "what to do")
    assert str(raised) == "what happened\nwhat to do"
    assert str(error("what happened")) == "what happened"


def test_the_docstring_draws_every_error() -> None:
    defined = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert defined == {kind.__name__ for kind in PARENTS} | {"ConvLensError"}
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in defined)
