"""What each epoch of a training brought, kept and perhaps printed."""

from typing import final

from convlens.train.events import EpochFinished, Evaluated, Event, FitStarted, Stopped

Epoch = dict[str, float]  # epoch, train_loss, validation_loss, validation_accuracy, seconds


@final
class History:
    """A listener that keeps the numbers of each epoch; if `verbose`, it prints a line of them."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.epochs: list[Epoch] = []
        self._num_epochs = 0
        self._evaluated: Evaluated | None = None

    def __call__(self, event: Event) -> None:
        """Keep what `event` tells."""
        match event:
            case FitStarted():
                self._num_epochs = event.num_epochs
                self.say(f"training on {event.num_images:,} images, on {event.device}")
            case Evaluated():
                self._evaluated = event
            case EpochFinished():
                self._finish(event)
            case Stopped():
                self.say(f"stopped in epoch {event.epoch}: {event.reason}")
            case _:
                pass

    def say(self, line: str) -> None:
        """Print the line, if lines are wanted."""
        if self.verbose:
            print(line)

    def _finish(self, event: EpochFinished) -> None:
        assert self._evaluated is not None
        loss, accuracy = self._evaluated.loss, self._evaluated.accuracy
        self.epochs.append(
            {
                "epoch": event.epoch,
                "train_loss": event.loss,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "seconds": event.seconds,
            }
        )
        self.say(
            f"epoch {event.epoch:>{len(str(self._num_epochs))}}/{self._num_epochs}  "
            f"train loss {event.loss:.4f}  validation loss {loss:.4f}  "
            f"accuracy {accuracy * 100:.2f} %  {event.seconds:.1f} s"
        )
