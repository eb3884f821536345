"""A run that was stopped or killed, taken up where its newest checkpoint is.

On a CPU it goes on bit for bit as if it had never stopped: the same weights, the same records
but for their times. What could change that (other data, another machine) is refused or told.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from convlens.core.allocator import keep_buffers
from convlens.core.config import override
from convlens.core.errors import ConfigError, RunError
from convlens.experiment.archive import writing
from convlens.experiment.execute import (
    Material,
    initial_chance,
    material_here,
    recipe_of,
    train_into,
)
from convlens.experiment.recipe import resolve
from convlens.models.catalog import build
from convlens.runs.lock import locked
from convlens.runs.pair import CheckpointPair, Saved
from convlens.runs.provenance import provenance
from convlens.runs.store import Run
from convlens.train.events import Listener, Resumed
from convlens.train.parallel.world import ALONE, World

_DECIDES_BITS = ("device_name", "cpu_capability", "threads")  # beside the versions


def resume_run(
    run: Run,
    *,
    listeners: Sequence[Listener] = (),
    world: World = ALONE,
    notes: Sequence[str] = (),
) -> Run:
    """Train `run` to its end from its newest whole checkpoint, and test it once.

    Of several processes (`world`) each calls this alike, and process 0 has the listeners and the
    folder. `notes` are told with those of the going on.

    Raises:
        RunError: it has ended, another process is at work on it, or its checkpoints are damaged.
        And all that `execute` raises.
    """
    keep_buffers()
    recipe = world.first(lambda: recipe_of(run))
    pair = CheckpointPair(run.path)
    with world.first_holds(locked(run.path)):
        world.first(run.sweep)
        world.first(lambda: _refuse_ended(run, pair))
        saved = world.first(lambda: _newest(run, pair))
        material = world.everywhere(lambda: material_here(recipe, world))
        resumed = world.first(lambda: _take_up(run, pair, saved, material, world, notes))
        for listener in listeners:
            listener(resumed)
        with initial_chance(recipe):
            model = build(recipe.model_name, recipe.model).to(material.device)
            train_into(run, recipe, model, material, listeners, pair=pair, saved=saved, world=world)
    return run


def _take_up(
    run: Run,
    pair: CheckpointPair,
    saved: Saved | None,
    material: Material,
    world: World,
    notes: Sequence[str],
) -> Resumed:
    """Note in the run's origin that it goes on here; what to tell of it."""
    here = provenance(material.device, material.data_md5) | world.about()
    origin = run.read_json("provenance.json") or here  # it may have been killed before
    _refuse_other_data(run, origin, here)
    resumed = _resumed(saved, [*notes, *_damage(pair, saved), *_differences(origin, here)])
    with writing(run, lambda: "nothing of it was changed"):
        before = origin.get("resumed", [])
        at = {"epoch": resumed.epoch, "step": resumed.step}
        run.write_json("provenance.json", {**origin, "resumed": [*before, {**at, **here}]})
        (run.path / "summary.json").unlink(missing_ok=True)  # it has not ended yet
    return resumed


def refuse_other_settings(run: Run, assignments: Sequence[str]) -> None:
    """Refuse `section.key=value` that are not the run's own: a run goes on by its recipe.

    Raises:
        ConfigError: one of them is another; says both.
    """
    table = run.read_recipe()
    name, _, _ = run.name.rpartition("-")
    asked = resolve(name or run.name, override(table, assignments)).to_table()
    for section, settings in recipe_of(run).to_table().items():
        for key, value in settings.items():
            if (wanted := asked[section].get(key)) != value:
                raise ConfigError(
                    f"{section}.{key}: the run's is {value}, not {wanted}; it goes on by its own",
                    fix="leave the option out, or train anew: "
                    f"convlens train {_recipe_path(run)} --set {section}.{key}={wanted}",
                )


def _refuse_ended(run: Run, pair: CheckpointPair) -> None:
    summary = run.summary()
    again = f"convlens train {_recipe_path(run)}"
    if summary["status"] == "finished":
        pair.remove()  # which a process that was killed on its last line has not done
        epochs = summary["epochs"]
        if summary.get("stopped"):
            raise RunError(
                f"{run.name} has finished after {epochs} epochs: {summary['stopped']}",
                fix="to train longer, begin anew without a limit: "
                f"{again} --set train.patience=0 --set train.time_limit=0",
            )
        raise RunError(
            f"{run.name} has finished: {epochs} epochs were asked for, and taken",
            fix=f"to train longer, begin anew: {again} --epochs {2 * epochs}",
        )
    if summary["status"] == "diverged":
        lr = run.read_recipe()["train"]["lr"]
        raise RunError(
            f"{run.name} has diverged, and would again: {summary['error']}",
            fix=f"begin anew with a lower learning rate: {again} --lr {lr / 10:g}",
        )


def _newest(run: Run, pair: CheckpointPair) -> Saved | None:
    try:
        return pair.newest()
    except RunError as error:
        raise RunError(
            f"{run.name} has no checkpoint that can be used\n{error.what}",
            fix=f"train anew: convlens train {_recipe_path(run)}",
        ) from None


def _refuse_other_data(run: Run, origin: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    for name, md5 in origin["data_md5"].items():
        if (found := here["data_md5"].get(name)) != md5:
            raise RunError(
                f"{name} is not the file that {run.name} was trained on: md5 {found}, not {md5}",
                fix=f"bring the old files back, or train anew: convlens train {_recipe_path(run)}",
            )


def _damage(pair: CheckpointPair, saved: Saved | None) -> list[str]:
    taken = [f"{saved.name} is taken in its place"] if saved is not None and pair.damage else []
    return [*pair.damage, *taken]


def _differences(origin: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What may round otherwise than in the run's first process."""
    pairs = [(name, origin.get(name), here[name]) for name in _DECIDES_BITS]
    versions = origin.get("versions", {})
    pairs += [(name, versions.get(name), found) for name, found in here["versions"].items()]
    return [
        *(
            f"{name.replace('_', ' ')}: {found} here, {before} before; the last bits may differ"
            for name, before, found in pairs
            if before != found
        ),
        *filter(None, [_other_processes(origin, here)]),
    ]


def _other_processes(origin: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What another number of processes means for a run, or ""."""
    before, now = origin.get("processes", 1), here.get("processes", 1)
    if before == now:
        return ""
    what = "the last bits may differ, and dropout draws anew"
    return f"processes: {now} here, {before} before; {what}"


def _resumed(saved: Saved | None, notes: Sequence[str]) -> Resumed:
    position = {"epoch": 1, "step": 0} if saved is None else saved.note["position"]
    return Resumed(epoch=position["epoch"], step=position["step"], notes=tuple(notes))


def _recipe_path(run: Run) -> str:
    return shlex.quote(str(run.path / "recipe.toml"))
