"""Seeds: is one recipe better than another, or is it the luck of the seed?

Trained again from another seed, a recipe ends elsewhere. Two recipes are told apart by runs of
several seeds each: Welch's interval for the difference of two means, which lets both sides have
a spread and a number of runs of their own. A side of one run shows no spread, so nothing follows
from it. Of several differences one comes out large by chance more easily than a single one; Holm's
steps make up for that.

Sources: Welch (1947), https://doi.org/10.1093/biomet/34.1-2.28, for the interval; Holm (1979),
https://www.jstor.org/stable/4615733, for several of them, which may depend on each other; DLMF,
https://dlmf.nist.gov/8.17, equations 8.17.4 and 8.17.22, for the incomplete beta function;
Wilson (1927), https://doi.org/10.1080/01621459.1927.10502953, for the interval of a share.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, mean, stdev

CONFIDENCE = 0.95  # how often an interval made like these covers the truth
_TINY = 1e-300  # stands for a 0 that would be divided by


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Some results of one recipe."""

    n: int
    mean: float
    sd: float | None  # between seeds, n - 1 in the divisor; None of a single one


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """How much higher the second mean is than the first, and between which bounds."""

    difference: float
    low: float
    high: float
    degrees: float  # of freedom
    error: float  # standard error of the difference
    confidence: float

    def at(self, confidence: float) -> "Gap":
        """The same difference, between the bounds of another confidence."""
        reach = 0.0
        if self.error:
            reach = student_quantile((1 + confidence) / 2, self.degrees) * self.error
        low, high = self.difference - reach, self.difference + reach
        return replace(self, low=low, high=high, confidence=confidence)

    @property
    def p_value(self) -> float:
        """How often runs of equal recipes are at least so far apart."""
        if not self.error:
            return 1.0
        return 2 * student_cdf(-abs(self.difference) / self.error, self.degrees)

    @property
    def seen(self) -> bool:
        """0 is not between the bounds."""
        return not self.low <= 0 <= self.high


def spread(values: Sequence[float]) -> Spread:
    """Number, mean and standard deviation of `values`.

    >>> spread([1.0, 2.0, 3.0])
    Spread(n=3, mean=2.0, sd=1.0)
    """
    return Spread(n=len(values), mean=mean(values), sd=stdev(values) if len(values) > 1 else None)


def gap(first: Spread, second: Spread, confidence: float = CONFIDENCE) -> Gap | None:
    """Welch's interval for the second mean less the first; None where no spread can be seen.

    None is the answer if a side is a single result, or if all of each side are equal and the
    sides are not: then the runs say nothing of how far a seed can move them.

    >>> found = gap(spread([1.0, 2.0, 3.0]), spread([5.0, 6.0, 7.0]))
    >>> [round(number, 3) for number in (found.difference, found.low, found.high, found.degrees)]
    [4.0, 1.733, 6.267, 4.0]
    """
    if first.sd is None or second.sd is None:
        return None
    difference = second.mean - first.mean
    one, two = first.sd**2 / first.n, second.sd**2 / second.n
    if one + two == 0:
        if difference:
            return None
        return Gap(
            difference=0.0, low=0.0, high=0.0, degrees=first.n + second.n - 2.0, error=0.0,
            confidence=confidence,
        )  # fmt: skip
    share = one / (one + two)  # of the first; as shares, so that small spreads do not vanish
    degrees = 1 / (share**2 / (first.n - 1) + (1 - share) ** 2 / (second.n - 1))
    return Gap(
        difference=difference, low=difference, high=difference, degrees=degrees,
        error=math.sqrt(one + two), confidence=0.0,
    ).at(confidence)  # fmt: skip


def holm(p_values: Sequence[float], confidence: float = CONFIDENCE) -> list[float]:
    """The confidence at which each of these differences is judged, so that all together hold.

    The smallest of n p-values is judged at 1 - (1 - confidence) / n, the next one with n - 1 in
    the place of n, and so on; where one is too large, it and all that follow keep its confidence.

    >>> [round(level, 4) for level in holm([0.04, 0.01, 0.03])]  # 0.03 is above 0.05 / 2
    [0.975, 0.9833, 0.975]
    """
    levels = [0.0] * len(p_values)
    going, level = True, confidence
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if going:
            level = 1 - (1 - confidence) / (len(p_values) - step)
            going = p_values[index] <= 1 - level
        levels[index] = level
    return levels


def student_cdf(t: float, degrees: float) -> float:
    """The probability that Student's t with so many degrees of freedom is at most `t`.

    >>> student_cdf(0.0, 5.0), round(student_cdf(1.0, 1.0), 12)  # one degree: 1/2 + atan(t) / pi
    (0.5, 0.75)
    """
    if t * t < degrees:
        within = incomplete_beta(t * t / (degrees + t * t), 0.5, degrees / 2)  # of -|t| to |t|
        return (1 + math.copysign(within, t)) / 2
    beyond = incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2  # of one tail
    return 1 - beyond if t > 0 else beyond


def student_quantile(probability: float, degrees: float) -> float:
    """The t that `student_cdf` gives this probability, between 0 and 1; found by halving.

    >>> round(student_quantile(0.975, 10.0), 3)
    2.228
    """
    assert 0 < probability < 1
    assert degrees > 0
    if probability < 0.5:
        return -student_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high and high - low > 1e-12 * high:
        if student_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for x in [0, 1] and a, b > 0.

    >>> round(incomplete_beta(0.25, 1.0, 2.0), 12)  # 1 - (1 - x)^2
    0.4375
    """
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the fraction of the other side is the quicker one
        return 1 - incomplete_beta(1 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x)
    front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)) of DLMF 8.17.22, from the front, by Lentz's way."""
    value, upper, lower = 1.0, 1.0, 0.0
    for n in range(1, 10_000):
        m = n // 2
        if n % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1 / (1 + term * lower or _TINY)
        upper = 1 + term / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return value


def share_interval(
    num_correct: int, num_images: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Wilson's interval for a share that was counted on so many images.

    It is the luck of which images are in the test set, and never of the seed.

    >>> low, high = share_interval(9_081, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.9023, 0.9136)
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = num_correct / num_images, 1 + z * z / num_images
    middle = (share + z * z / (2 * num_images)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / num_images + z * z / (4 * num_images**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
