import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given

from convlens.ops.algorithms.padding import pad
from convlens.ops.algorithms.unfold import fold, windows
from convlens.ops.window import Window
from tests.strategies import Case, cases, whole


@given(cases(modes=("zeros",), kernel=4))
def test_the_windows_are_the_columns_of_torchs_unfold(case: Case) -> None:
    x = whole(*case.shape, seed=case.seed)
    rows, columns = case.geometry.rows, case.geometry.columns
    seen = windows(pad(x, case.geometry), rows, columns)
    expected = F.unfold(
        x,
        case.geometry.kernel_size,
        (rows.dilation, columns.dilation),
        case.geometry.padding,
        (rows.stride, columns.stride),
    )
    n, channels, height, width = seen.shape[:4]
    taps = rows.kernel * columns.kernel
    laid_out = seen.permute(0, 1, 4, 5, 2, 3).reshape(n, channels * taps, height * width)
    assert torch.equal(laid_out, expected)


def test_the_windows_share_the_memory_of_the_image() -> None:
    x = whole(1, 1, 5, 5)
    assert windows(x, Window(3), Window(3)).data_ptr() == x.data_ptr()


@given(cases(kernel=4))
def test_fold_is_the_adjoint_of_windows(case: Case) -> None:
    """`<windows(x), z> = <x, fold(z)>` for all x and z."""
    rows, columns = case.geometry.rows, case.geometry.columns
    padded = pad(whole(*case.shape, seed=case.seed), case.geometry)
    seen = windows(padded, rows, columns)
    z = whole(*seen.shape, seed=case.seed + 1)
    folded = fold(z, (padded.shape[2], padded.shape[3]), rows, columns)
    assert (seen * z).sum() == (padded * folded).sum()
