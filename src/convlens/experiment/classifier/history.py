"""What each epoch of a training brought, kept and perhaps printed."""

from typing import final

from convlens.train.events import EpochFinished, Evaluated, Event, FitStarted, Stopped

Epoch = dict[str, float]  # epoch, train_loss, seconds; if there is a validation also
# validation_loss and validation_accuracy


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
        numbers: Epoch = {"epoch": event.epoch, "train_loss": event.loss}
        line = f"epoch {event.epoch:>{len(str(self._num_epochs))}}/{self._num_epochs}  "
        line += f"train loss {event.loss:.4f}  "
        if self._evaluated is not None:
            loss, accuracy = self._evaluated.loss, self._evaluated.accuracy
            numbers |= {"validation_loss": loss, "validation_accuracy": accuracy}
            line += f"validation loss {loss:.4f}  accuracy {accuracy * 100:.2f} %  "
        self.epochs.append({**numbers, "seconds": event.seconds})
        self.say(f"{line}{event.seconds:.1f} s")
