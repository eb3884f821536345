"""Sides: runs beside each other, those of one recipe together, and which side is better.

Runs whose recipes are equal but for the seed are one side; so are their spread and their mean.
A seed counts once: the same seed twice gives the same numbers, or all but, and says nothing of
what another seed would do. The device, how often the loss is written down and where the files of
the data are decide nothing of a result and make no other side; other data do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import mean
from typing import Any, Literal, final

from convlens.core.errors import ConfigError, ConvLensError
from convlens.experiment.execute import recipe_of
from convlens.report.runs.seeds import CONFIDENCE, Gap, Spread, gap, holm, share_interval, spread
from convlens.runs.store import RUNS_FOLDER, Run

SEED = "train.seed"
# What may differ within a side, beside the seed; data are told apart by their checksums.
INDIFFERENT = ("train.device", "train.log_every", "data.folder")
Verdict = Literal["better", "no difference seen", "cannot tell"]


@final
@dataclass(frozen=True)
class Entry:
    """One run of a comparison, read once."""

    run: Run

    @cached_property
    def summary(self) -> dict[str, Any]:
        """How it ended; only the status of one that has not."""
        return self.run.summary()

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Versions, machine, data checksums; empty if they were never written."""
        return self.run.read_json("provenance.json")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved recipe by dotted keys; of another version's, as it was written."""
        try:
            table = recipe_of(self.run).to_table()
        except ConvLensError:
            table = self.run.read_recipe()
        return _flat(table)

    @property
    def seed(self) -> int:
        """Of initial weights and shuffling."""
        return self.settings.get(SEED, 0)

    @property
    def test(self) -> dict[str, Any] | None:
        """Loss, accuracy and number of the test images; None if it was not tested."""
        return self.summary.get("test")

    def validation(self, which: str) -> dict[str, Any] | None:
        """Epoch, loss and accuracy after the "last" or the "best" epoch, if there is one."""
        return (self.summary.get("validation") or {}).get(which)

    @property
    def identity(self) -> dict[str, Any]:
        """What two runs of one side have in common: recipe without seed, and the data."""
        kept = {
            key: value
            for key, value in self.settings.items()
            if key != SEED and key not in INDIFFERENT
        }
        md5 = self.origin.get("data_md5")
        return {**kept, "the data": md5 or self.settings.get("data.folder")}


@final
@dataclass(frozen=True)
class Side:
    """The runs of one recipe."""

    name: str  # A, B, C, ... in the order of the runs
    entries: tuple[Entry, ...]

    @property
    def runs(self) -> str:
        """The runs' names."""
        return ", ".join(entry.run.name for entry in self.entries)

    @property
    def accuracies(self) -> dict[int, float]:
        """Test accuracy by seed, of the runs that were tested; the mean of equal seeds."""
        found: dict[int, list[float]] = {}
        for entry in self.entries:
            if entry.test is not None:
                found.setdefault(entry.seed, []).append(entry.test["accuracy"])
        return {seed: mean(values) for seed, values in sorted(found.items())}

    @property
    def spread(self) -> Spread | None:
        """Of the test accuracy between seeds; None if no run was tested."""
        return spread(list(self.accuracies.values())) if self.accuracies else None

    @property
    def more_seeds(self) -> str:
        """What to type for a run of this recipe with another seed."""
        used = {entry.seed for entry in self.entries}
        seed = next(number for number in range(len(used) + 1) if number not in used)
        path = self.entries[0].run.path
        out = "" if path.parent == RUNS_FOLDER else f" --out {path.parent}"
        return f"convlens train {path / 'recipe.toml'} --seed {seed}{out}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the runs say of two sides."""

    first: Side
    second: Side
    gap: Gap | None
    verdict: Verdict
    text: str


def group(runs: Sequence[Run]) -> list[Side]:
    """The runs as sides, in the order in which they first come; a run given twice counts once.

    Raises:
        ConfigError: no run.
        RunError: a run that cannot be read.
    """
    if not runs:
        raise ConfigError("no run to compare")
    entries = [Entry(run) for run in {run.path.resolve(): run for run in runs}.values()]
    groups: list[list[Entry]] = []
    for entry in entries:
        same = [members for members in groups if members[0].identity == entry.identity]
        if same:
            same[0].append(entry)
        else:
            groups.append([entry])
    return [Side(letter(index), tuple(members)) for index, members in enumerate(groups)]


def letter(index: int) -> str:
    """A, B, ..., Z, AA, AB, ...

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    above, index = divmod(index, 26)
    return (letter(above - 1) if above else "") + chr(ord("A") + index)


def judge(sides: Sequence[Side]) -> list[Judgement]:
    """For each two sides, whether one has the higher test accuracy, by Welch's interval.

    Of several intervals each is as wide as its step of Holm's asks, so that all verdicts hold
    together.
    """
    pairs = list(combinations(sides, 2))
    gaps = [_gap(first, second) for first, second in pairs]
    levels = iter(holm([found.p_value for found in gaps if found is not None]))
    return [
        _judge(first, second, None if found is None else found.at(next(levels)))
        for (first, second), found in zip(pairs, gaps, strict=True)
    ]


def _gap(first: Side, second: Side) -> Gap | None:
    one, two = first.spread, second.spread
    return None if one is None or two is None else gap(one, two)


def _judge(first: Side, second: Side, found: Gap | None) -> Judgement:
    one, two = first.spread, second.spread
    names = f"{first.name} and {second.name}"
    if one is None or two is None:
        missing = " and ".join(
            side.name for side, found in ((first, one), (second, two)) if found is None
        )
        text = f"cannot tell {names} apart: no tested run of {missing}"
        return Judgement(first, second, None, "cannot tell", text)
    if found is None:
        return Judgement(first, second, None, "cannot tell", _no_spread(first, second))
    if not found.seen:
        text = (
            f"no difference seen between {names}: {second.name} less {first.name} is "
            f"{_points(found.difference)} points "
            f"({_confidence(found)} interval {_points(found.low)} to {_points(found.high)})"
        )
        return Judgement(first, second, found, "no difference seen", text)
    low, high = sorted((abs(found.low), abs(found.high)))
    better, worse = (second, first) if found.difference > 0 else (first, second)
    text = (
        f"{better.name} is better than {worse.name} by {100 * abs(found.difference):.2f} points "
        f"({_confidence(found)} interval {100 * low:.2f} to {100 * high:.2f})"
    )
    return Judgement(first, second, found, "better", text)


def _no_spread(first: Side, second: Side) -> str:
    counts = [len(side.accuracies) for side in (first, second)]
    names = f"{first.name} and {second.name}"
    if min(counts) > 1:
        return (
            f"cannot tell {names} apart: the runs of each side came out equal, so what a seed "
            f"can do is not known"
        )
    if max(counts) == 1:
        why, few = "one run each" if _single(first, second) else "one seed each", first
    else:
        few = first if counts[0] == 1 else second
        why = f"one run of {few.name}" if len(few.entries) == 1 else f"one seed of {few.name}"
    return f"cannot tell {names} apart: {why}; train more seeds: {few.more_seeds}"


def _single(*sides: Side) -> bool:
    return all(len(side.entries) == 1 for side in sides)


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _confidence(found: Gap) -> str:
    return f"{100 * found.confidence:.4g} %"


def setting_differences(sides: Sequence[Side]) -> dict[str, list[Any]]:
    """By dotted key, the settings in which the sides differ, a value for each; seeds apart.

    None is a setting that is not there.
    """
    firsts = [side.entries[0] for side in sides]
    found = _differences([entry.identity for entry in firsts])
    if "the data" in found:
        places = [entry.settings.get("data.folder") or "inside the package" for entry in firsts]
        same = len(set(places)) < len(places)
        found["the data"] = [f"{place}, by checksum" if same else place for place in places]
    return found


def origin_differences(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """Where the runs differ beside the recipe, a value for each run: machine, versions, device."""
    return _differences([_circumstances(entry) for entry in entries])


def _circumstances(entry: Entry) -> dict[str, Any]:
    origin = entry.origin
    keys = ("device_name", "device", "threads", "cpu_capability", "python")
    return {
        **{key: entry.settings[key] for key in INDIFFERENT if key in entry.settings},
        **{key: origin.get(key) for key in keys},
        "commit": _short(origin.get("commit")),
        **origin.get("versions", {}),
    }


def _short(commit: str | None) -> str | None:
    """The first ten digits, and "-dirty" if the checkout was changed."""
    if commit is None:
        return None
    digits, dash, dirty = commit.partition("-")
    return f"{digits[:10]}{dash}{dirty}"


def notes(sides: Sequence[Side]) -> list[str]:
    """What to know about the comparison, a sentence or two each."""
    found = [_test_set_note(sides)]
    pairs = sum(judgement.gap is not None for judgement in judge(sides))
    if pairs:
        found.append(
            "The intervals are Welch's, of the mean test accuracy between seeds: the sides may "
            "have spreads and numbers of runs of their own. "
            + (_several_note(pairs) if pairs > 1 else _ONE)
        )
    for side in sides:
        seeds = [entry.seed for entry in side.entries if entry.test is not None]
        if len(set(seeds)) < len(seeds):
            found.append(f"Side {side.name} has runs of equal seeds: they count once.")
    if len({str(side.entries[0].identity["the data"]) for side in sides}) > 1:
        found.append("The sides were tested on other images: their accuracies are no contest.")
    watched = [side.name for side in sides if _watched(side)]
    if watched:
        found.append(
            f"Side {', '.join(watched)} was validated on the test images: if its settings or its "
            "epochs were chosen by them, its test accuracy is too high."
        )
    return [note for note in found if note]


_ONE = f"Each covers the truth in {100 * CONFIDENCE:.0f} of 100 comparisons."


def _several_note(pairs: int) -> str:
    sure = 100 * CONFIDENCE
    return (
        f"There are {pairs} of them, and of many one stands out by chance more easily. So they are "
        "judged by Holm's steps: the clearest difference at a confidence of "
        f"{100 - (100 - sure) / pairs:.4g} %, the next at less, the last at {sure:.0f} %; where "
        "one is not seen, the rest keep its confidence. Of 100 comparisons like this at most "
        f"{100 - sure:.0f} call recipes different that are equal."
    )


def _watched(side: Side) -> bool:
    return side.entries[0].settings.get("data.validation") == "test"


def _test_set_note(sides: Sequence[Side]) -> str:
    tests = [entry.test for side in sides for entry in side.entries if entry.test is not None]
    if not tests:
        return ""
    best = max(tests, key=lambda test: test["accuracy"])
    low, high = test_interval(best)
    return (
        f"The test set itself is a sample: {100 * best['accuracy']:.2f} % of "
        f"{best['num_images']:,} images stands for {100 * low:.2f} to {100 * high:.2f} % of such "
        f"images (Wilson's {100 * CONFIDENCE:.0f} % interval of a binomial share). Runs tested on "
        "the same images share most of that luck; more seeds do not make it less."
    )


def test_interval(test: Mapping[str, Any]) -> tuple[float, float]:
    """Wilson's interval of a tested accuracy: what the choice of the images leaves open."""
    num_images = test["num_images"]
    return share_interval(round(test["accuracy"] * num_images), num_images)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in _flat(value).items()}
        else:
            flat[key] = list(value) if isinstance(value, tuple) else value
    return flat


def _differences(tables: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for table in tables for key in table)
    values = {key: [table.get(key) for table in tables] for key in keys}
    return {
        key: found for key, found in values.items() if any(value != found[0] for value in found)
    }
