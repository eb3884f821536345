"""Wording: how numbers of values and findings are written."""

from collections.abc import Mapping

from convlens.course.study import Finding, Number


def nested(numbers: object) -> str:
    """Nested numbers in a line; equal rows are told once.

    >>> nested([[0, 1.5], [2, 3]]), nested([[1, 0]] * 6)
    ('[[0 1.5] [2 3]]', '6 x [1 0]')
    """
    if not isinstance(numbers, list):
        return f"{numbers:g}" if isinstance(numbers, float) else str(numbers)
    texts = [nested(each) for each in numbers]
    if len(texts) > 2 and len(set(texts)) == 1 and texts[0].startswith("["):
        return f"{len(texts)} x {texts[0]}"
    return f"[{' '.join(texts)}]"


def number(value: Number) -> str:
    """A number of a finding.

    >>> number(61706), number(0.123456), number("2x2")
    ('61,706', '0.1235', '2x2')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else f"{value:.4g}"


def numbers(finding: Finding) -> Mapping[str, str]:
    """All numbers of a finding, by name."""
    return {name: number(value) for name, value in finding.numbers.items()}
