"""The numbers of each epoch are kept, and printed only if that is wanted."""

import pytest

from convlens.experiment.classifier.history import History
from convlens.train.events import EpochFinished, Evaluated, Event, FitStarted, Stopped

EVENTS: list[Event] = [
    FitStarted(num_epochs=10, steps_per_epoch=4, num_images=1600, device="cpu"),
    Evaluated(epoch=1, loss=0.5, accuracy=0.75, num_images=100, seconds=0.1),
    EpochFinished(epoch=1, loss=0.625, seconds=2.0, images_per_second=300.0),
    Stopped(epoch=1, reason="out of time"),
]
LINES = """\
training on 1,600 images, on cpu
epoch  1/10  train loss 0.6250  validation loss 0.5000  accuracy 75.00 %  2.0 s
stopped in epoch 1: out of time
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_an_epoch_is_a_dictionary_and_a_line(
    capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    history = History(verbose=verbose)
    for event in EVENTS:
        history(event)
    assert capsys.readouterr().out == (LINES if verbose else "")
    assert history.epochs == [
        {
            "epoch": 1, "train_loss": 0.625, "validation_loss": 0.5,
            "validation_accuracy": 0.75, "seconds": 2.0,
        }
    ]  # fmt: skip
