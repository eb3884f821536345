"""The errors a user can meet and mend.

    ConvLensError                what a user can fix: what happened, and what to do
      ShapeError   (ValueError)  sizes that cannot fit; says shape, setting and rule
      ConfigError  (ValueError)  a setting that makes no sense; says the dotted key
      UnknownName  (LookupError) no such model, data set, recipe, run; says the nearest
      DataError    (OSError)     missing or corrupt data; says file, place and remedy
      RunError                   a run or its weights that cannot be used; says why
      Diverged     (ArithmeticError) the loss is no longer finite; says where
      OutOfMemory  (MemoryError) more memory than there is; says what would fit

Each also is the built-in error a Python programmer would expect, so `except ValueError`
works too. Anything else that is raised is a fault of ConvLens and shows its traceback.
"""


class ConvLensError(Exception):
    """Something the user can mend: `what` happened, and the `fix`."""

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix  # what to type or change, "" where `what` says it all

    def __str__(self) -> str:
        return f"{self.what}\n{self.fix}" if self.fix else self.what


class ShapeError(ConvLensError, ValueError):
    """Sizes that cannot fit."""


class ConfigError(ConvLensError, ValueError):
    """A setting that is unknown or makes no sense."""


class UnknownName(ConvLensError, LookupError):  # noqa: N818 - reads as what happened
    """A name that its table does not hold."""


class DataError(ConvLensError, OSError):
    """Data that is missing, unreadable or not what it claims to be."""


class RunError(ConvLensError):
    """A run, or the weights in it, that cannot be used."""


class Diverged(ConvLensError, ArithmeticError):  # noqa: N818 - reads as what happened
    """A training whose loss is no longer finite."""


class OutOfMemory(ConvLensError, MemoryError):  # noqa: N818 - reads as what happened
    """A computation that wants more memory than there is."""
