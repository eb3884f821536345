"""Convolution: diagonal edges, and what becomes of them when image or kernel is transposed.

Source: d2l 7.2, exercise 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from convlens.course.study import Claim, Finding, Setup, Study
from convlens.ops.kernels import kernel
from convlens.ops.plain import correlate

Correlate = Callable[[Tensor, Tensor], Tensor]
SIZE = 6  # rows and columns of the images with edges


def diagonal(setup: Setup, *, correlation: Correlate = correlate) -> Finding:
    """`corr(X, K)`, `corr(X.T, K)`, `corr(X, K.T)` on a line and on a filled triangle.

    The law `corr(X.T, K.T) = corr(X, K).T` is tried on random matrices that are not square.
    """
    cases = 50 if setup.quick else 1_000
    edge = kernel("edge-x")
    line, filled = torch.eye(SIZE), torch.ones(SIZE, SIZE).tril()
    on_line, on_edge = correlation(line, edge), correlation(filled, edge)
    line_turned, line_by_turned = correlation(line.T, edge), correlation(line, edge.T)
    turned_image, turned_kernel = correlation(filled.T, edge), correlation(filled, edge.T)
    kept = sum(_law(correlation) for _ in range(cases))
    sides = _sign(on_line.diagonal()), _sign(on_line.diagonal(-1))
    edges = tuple(_sign(y[y != 0]) for y in (on_edge, turned_image, turned_kernel))
    # One answer in each row but the last (first), which the filled edge does not cross.
    answers = tuple(int(y.count_nonzero()) for y in (on_edge, turned_image, turned_kernel))
    return Finding(
        numbers={
            "on the diagonal line": sides[0],
            "just below it": sides[1],
            "on a filled edge": edges[0],
            "on the transposed filled edge": edges[1],
            "by the transposed kernel": edges[2],
            "random cases": cases,
            "cases with corr(X.T, K.T) = corr(X, K).T": kept,
        },
        text=f"The kernel gives {sides[0]} on a diagonal line and {sides[1]} below it; "
        f"{edges[0]} on a filled edge, {edges[1]} on its transpose. Transposing both image and "
        f"kernel transposed the result in {kept} of {cases} random cases.",
        claims=(
            Claim("missed", "a line answers +1 on it and -1 below", sides == ("+1", "-1")),
            Claim(
                "missed",
                "a filled edge answers +1, in each row that it crosses",
                (edges[0], answers[0]) == ("+1", SIZE - 1),
            ),
            Claim("missed", "X.T changes nothing for a line", torch.equal(line_turned, on_line)),
            Claim(
                "missed",
                "X.T changes the sign for a filled edge",
                (edges[1], answers[1]) == ("-1", SIZE - 1),
            ),
            Claim(
                "missed",
                "K.T gives the transpose of what K gives on X.T",
                torch.equal(line_by_turned, line_turned.T)
                and torch.equal(turned_kernel, turned_image.T),
            ),
            Claim("besides", "corr(X.T, K.T) = corr(X, K).T for any X and K", kept == cases),
        ),
    )


def _law(correlation: Correlate) -> bool:
    """Whether the law holds for a random image and kernel of whole numbers, so exactly."""
    height, width = torch.randint(5, 12, (2,)).tolist()
    rows, columns = torch.randint(1, 5, (2,)).tolist()
    x = torch.randint(-9, 10, (height, width + 1)).float()
    k = torch.randint(-9, 10, (rows, columns)).float()
    return torch.equal(correlation(x.T, k.T), correlation(x, k).T)


def _sign(numbers: Tensor) -> str:
    """The one number that all of them are, or "mixed".

    >>> _sign(torch.tensor([1.0, 1.0])), _sign(torch.tensor([1.0, 0.0]))
    ('+1', 'mixed')
    """
    found = numbers.unique()
    return f"{found.item():+g}" if len(found) == 1 else "mixed"


DIAGONAL = Study(
    name="7.2-diagonal",
    section="7.2",
    exercise="1",
    question="What does the kernel (1, -1) find on diagonal edges, and what changes if the image "
    "or the kernel is transposed?",
    notebook="Pictures only, which are lost.",
    answer="It answers where a pixel differs from its right neighbour: +1 and -1 on the two sides "
    "of a line, one sign along a filled edge. A line along the diagonal is its own transpose; a "
    "filled edge changes its sign. Transposing image and kernel transposes the result, always.",
    experiment=diagonal,
)
