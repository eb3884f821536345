"""Options that several commands share."""

import inspect

from convlens.cli import options
from convlens.cli.commands import data, evaluate, predict, recipes, train
from convlens.cli.commands.machine import doctor, probe
from convlens.cli.commands.networks import compare_models, models, summary
from convlens.cli.commands.runs import command as runs
from convlens.runs.store import RUNS_FOLDER


def test_runs_are_looked_for_where_training_puts_them() -> None:
    assert options.RUNS == RUNS_FOLDER


def test_every_command_that_prints_a_result_can_print_json() -> None:
    commands = (
        compare_models.compare_models, data.data, data.show, doctor.doctor, evaluate.evaluate,
        models.models, predict.predict, probe.probe, recipes.recipes, runs.runs, runs.show,
        summary.summary, train.train,
    )  # fmt: skip
    for command in commands:
        assert inspect.signature(command).parameters["as_json"].annotation == options.Json
