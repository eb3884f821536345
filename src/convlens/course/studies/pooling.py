"""Section 7.5: which pooling is a convolution.

Source: d2l 7.5, exercises 1 and 2.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it

from convlens.course.study import Finding, Setup, Study

EXACT = 1e-12  # of sums in float64, relative to numbers of about 1


def average(setup: Setup) -> Finding:
    """Average pooling, done by a convolution with one kernel a channel."""
    del setup
    worst, tried = 0.0, 0
    for channels in (1, 3):
        for rows, columns in ((2, 2), (3, 2), (1, 4)):
            x = torch.randn(2, channels, 12, 12, dtype=torch.float64)
            weight = torch.tensor(1 / (rows * columns), dtype=torch.float64)
            kernel = weight.expand(channels, 1, rows, columns)
            by_conv = F.conv2d(x, kernel, stride=(rows, columns), groups=channels)
            worst = max(worst, float((by_conv - F.avg_pool2d(x, (rows, columns))).abs().max()))
            tried += 1
    return Finding(
        numbers={"settings tried": tried, "largest difference": worst},
        text=f"A convolution with kernel 1/(rows x columns), the window as stride and a group for "
        f"each channel gives average pooling, to {worst:.0e} on {tried} settings.",
        holds=worst < EXACT,
    )


def maximum(setup: Setup) -> Finding:
    """A convolution without bias gives f(x) + f(-x) = 0; max pooling does not."""
    del setup
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0]])[None, None]
    by_max = float(F.max_pool2d(x, 2) + F.max_pool2d(-x, 2))
    kernel = torch.randn(1, 1, 2, 2)
    by_conv = float(F.conv2d(x, kernel) + F.conv2d(-x, kernel))
    pairs = [torch.randn(2, 1, 1, 2, 2, dtype=torch.float64) for _ in range(100)]
    additive = sum(
        bool((F.max_pool2d(a + b, 2) - F.max_pool2d(a, 2) - F.max_pool2d(b, 2)).abs() < EXACT)
        for a, b in pairs
    )
    return Finding(
        numbers={
            "max pooling of x and of -x, added": by_max,
            "a convolution of x and of -x, added": by_conv,
            "random pairs tried": len(pairs),
            "on which max pooling adds up": additive,
        },
        text=f"On [[1, 0], [0, 0]] and its negative max pooling adds up to {by_max:.0f} and any "
        f"convolution to {by_conv:.0f}; of {len(pairs)} random pairs max pooling is additive on "
        f"{additive}.",
        holds=by_max != 0 and by_conv == 0 and additive < len(pairs),
    )


STUDIES = (
    Study(
        name="7.5-average",
        question="Can average pooling be done by a convolution?",
        notebook="Yes: a kernel of equal weights that add up to 1.",
        verdict="right",
        answer="Yes: each weight 1/(rows x columns), the window as the stride, a group for each "
        "channel, no bias.",
        experiment=average,
    ),
    Study(
        name="7.5-maximum",
        question="And max pooling?",
        notebook="No: the kernel would have to depend on the data.",
        verdict="partly",
        answer="No. A convolution is linear, so what it makes of x and of -x adds up to zero; the "
        "maximum of [[1, 0], [0, 0]] and of its negative add up to 1. The notebook has the idea, "
        "and no proof.",
        experiment=maximum,
    ),
)
