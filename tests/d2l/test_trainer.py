"""The trainer: what it gives back, and that whatever a reader overrides is honoured."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it
from torch.utils.data import DataLoader, TensorDataset

from convlens import d2l
from convlens.core.errors import ConfigError, Diverged
from convlens.d2l import board
from convlens.d2l import trainer as trainer_room
from convlens.data.batches import Batches
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig
from tests.d2l.readers_networks import AlexNet, BNLeNetScratch


class Small(d2l.Classifier):
    """A network that learns the small data set within a few epochs."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)
        )
        self.net.apply(d2l.init_cnn)
        self.board.display = False


@pytest.fixture
def data(small_folder: Path) -> d2l.FashionMNIST:
    torch.manual_seed(0)
    return d2l.FashionMNIST(batch_size=64, root=small_folder)


def quiet(epochs: int = 1, **settings: Any) -> d2l.Trainer:
    return d2l.Trainer(epochs, quiet=True, **settings)


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def test_fit_learns_and_gives_back_a_number_per_epoch(data: d2l.FashionMNIST) -> None:
    history = quiet(4).fit(Small(), data)
    assert len(history) == 4
    assert len(history.val_loss) == len(history.val_accuracy) == len(history.seconds) == 4
    assert history.train_loss[-1] < history.train_loss[0]
    assert history.val_accuracy[-1] is not None and history.val_accuracy[-1] > 0.9


def test_below_a_cell_a_history_is_one_line_and_printed_it_has_its_numbers() -> None:
    history = d2l.History(train_loss=[0.5, 0.25])
    shown: list[str] = []
    history._repr_pretty_(SimpleNamespace(text=shown.append), False)  # pyright: ignore
    assert shown == ["History of 2 epochs: train_loss, val_loss, val_accuracy, seconds"]
    assert "0.25" in repr(history)


def test_a_line_per_epoch_is_printed_and_nothing_else(
    data: d2l.FashionMNIST, capsys: pytest.CaptureFixture[str]
) -> None:
    history = d2l.Trainer(max_epochs=2).fit(Small(), data)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"epoch 1/2: train loss {history.train_loss[0]:.3f}, validation loss ")
    assert f"validation accuracy {100 * (history.val_accuracy[1] or 0):.2f} %" in second


def test_a_script_saves_its_curves(
    data: d2l.FashionMNIST,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    model = Small()
    model.board.display = True
    d2l.Trainer(1).fit(model, data)
    assert (tmp_path / "Small-curves.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines()[-1] == "curves: Small-curves.png"
    quiet(picture=str(tmp_path / "mine.svg")).fit(model, data)
    assert (tmp_path / "mine.svg").exists()


def test_in_a_notebook_no_file_is_written(
    data: d2l.FashionMNIST, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = Small()
    quiet().fit(model, data)
    model.board.display = True
    display = SimpleNamespace(SVG=lambda data: data, display=lambda *_, **__: None)  # pyright: ignore
    for room in (board, trainer_room):
        monkeypatch.setattr(room, "notebook", lambda: display)
    quiet().fit(model, data)
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written_does_not_lose_the_training(
    data: d2l.FashionMNIST, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Small()
    model.board.display = True
    history = d2l.Trainer(1, quiet=True, picture=str(tmp_path / "no" / "x.png")).fit(model, data)
    assert len(history) == 1
    assert "cannot be written" in capsys.readouterr().out


def test_accuracy_and_loss_are_exact_over_images(small_folder: Path) -> None:
    """100 test images in batches of 64: the mean of two batch means would be another number."""
    data = d2l.FashionMNIST(batch_size=64, root=small_folder)
    model = Small()
    history = quiet().fit(model, data)
    x, y = next(iter(d2l.FashionMNIST(batch_size=100, root=small_folder).val_dataloader()))
    with torch.no_grad():
        logits = model(x)
    right = (logits.argmax(1) == y).float()
    assert history.val_accuracy[0] == int(right.sum()) / 100
    assert history.val_loss[0] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)
    batch_means = (right[:64].mean() + right[64:].mean()).item() / 2
    assert history.val_accuracy[0] != pytest.approx(batch_means, abs=1e-4)
    assert model.board.data["val_acc"][0].y == pytest.approx(right.mean().item(), abs=1e-7)


def test_a_fit_is_the_recipes_training_to_the_bit(small_folder: Path) -> None:
    torch.manual_seed(0)
    data = d2l.FashionMNIST(batch_size=64, root=small_folder)
    loader = data.get_dataloader(True)
    data.train_dataloader = lambda: loader  # pyright: ignore[reportAttributeAccessIssue]
    ours, recipes = Small(), Small()
    ours(torch.zeros(1, 1, 28, 28))
    recipes(torch.zeros(1, 1, 28, 28))
    recipes.load_state_dict(ours.state_dict())
    quiet(2).fit(ours, data)
    images = load_fashion_mnist(small_folder)
    train = Batches(images.train, 64, Prepare(28), shuffle_seed=loader.shuffle_seed)
    config = TrainConfig(epochs=2, lr=0.1)
    fit(recipes, train, Batches(images.test, 64, Prepare(28)), config)
    for one, other in zip(weights(ours), weights(recipes), strict=True):
        assert torch.equal(one, other)


def test_the_board_has_two_training_points_and_two_metrics_each_epoch(
    data: d2l.FashionMNIST,
) -> None:
    model = Small()
    quiet(3).fit(model, data)
    assert {key: len(points) for key, points in model.board.data.items()} == {
        "train_loss": 6, "val_loss": 3, "val_acc": 3,
    }  # fmt: skip
    assert [point.x for point in model.board.data["val_acc"]] == [1, 2, 3]


def test_one_batch_per_epoch_is_drawn_too(small_folder: Path) -> None:
    model = Small()
    quiet(2).fit(model, d2l.FashionMNIST(batch_size=600, root=small_folder))
    assert len(model.board.data["train_loss"]) == 2


def test_a_network_of_the_book_trains_from_xavier_though_nobody_called_apply_init(
    small_folder: Path,
) -> None:
    model: Any = AlexNet(lr=1e-30)
    model.board.display = False
    quiet().fit(model, d2l.FashionMNIST(batch_size=300, resize=67, root=small_folder))
    std = model.net[0].weight.std().item()
    assert std == pytest.approx((2 / (97 * 121)) ** 0.5, rel=0.05)  # 0.0131; torch's own is 0.052


def test_batch_norm_from_scratch_trains_and_validates(data: d2l.FashionMNIST) -> None:
    model: Any = BNLeNetScratch(lr=0.5)
    model.board.display = False
    history = quiet(3).fit(model, data)
    assert history.train_loss[-1] < history.train_loss[0]
    assert not torch.equal(model.net[1].moving_mean, torch.zeros(1, 6, 1, 1))


def test_methods_of_the_readers_own_are_called(small_folder: Path) -> None:
    called: dict[str, int] = {}

    def count(name: str) -> None:
        called[name] = called.get(name, 0) + 1

    class Own(Small):
        def training_step(self, batch: Sequence[Tensor]) -> Tensor:
            count("training_step")
            return super().training_step(batch)

        def validation_step(self, batch: Sequence[Tensor]) -> None:
            count("validation_step")
            y_hat = self(*batch[:-1])
            self.plot("acc", self.accuracy(y_hat, batch[-1]), train=False)
            self.plot("top", y_hat.max(), train=False)

        def loss(self, Y_hat: Tensor, Y: Tensor, averaged: bool = True) -> Tensor:  # noqa: N803
            count("loss")
            return F.cross_entropy(Y_hat, Y, label_smoothing=0.1)

        def configure_optimizers(self) -> Any:
            count("configure_optimizers")
            return torch.optim.Adam(self.parameters(), lr=0.01)

    class OwnTrainer(d2l.Trainer):
        def prepare_batch(self, batch: Sequence[Tensor]) -> Sequence[Tensor]:
            count("prepare_batch")
            x, y = super().prepare_batch(batch)
            return 1 - x, y

    model = Own()
    model(torch.zeros(1, 1, 28, 28))
    trainer = OwnTrainer(1, quiet=True)
    data = d2l.FashionMNIST(batch_size=200, root=small_folder)
    history = trainer.fit(model, data)
    assert called == {
        "training_step": 3, "validation_step": 1, "loss": 3, "configure_optimizers": 1,
        "prepare_batch": 4,
    }  # fmt: skip
    assert isinstance(trainer.optim, torch.optim.Adam)
    assert history.val_loss == [None] and history.val_accuracy[0] is not None
    assert "val_top" in model.board.data


def test_a_readers_loader_loss_and_optimiser_from_scratch_fit_a_line(tmp_path: Path) -> None:
    """The linear regression of chapter 3, its optimiser without anything of torch's."""

    class Line(d2l.DataModule):
        def __init__(self) -> None:
            super().__init__()
            self.batch_size = 20
            self.x = torch.randn(200, 2)
            self.y = self.x @ torch.tensor([[2.0], [-3.4]]) + 4.2

        def get_dataloader(self, train: bool) -> Any:
            rows = slice(0, 150) if train else slice(150, None)
            return self.get_tensorloader((self.x, self.y), train, rows)

    class Descent:
        def __init__(self, params: Any, lr: float) -> None:
            self.params, self.lr = list(params), lr

        def zero_grad(self) -> None:
            for p in self.params:
                p.grad = None

        def step(self) -> None:
            for p in self.params:
                p.sub_(self.lr * p.grad)

    class Scratch(d2l.Module):
        def __init__(self, lr: float) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.w = nn.Parameter(torch.zeros(2, 1))
            self.b = nn.Parameter(torch.zeros(1))

        def forward(self, X: Tensor) -> Tensor:  # noqa: N803
            return X @ self.w + self.b

        def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
            return ((y_hat - y) ** 2 / 2).mean()

        def configure_optimizers(self) -> Any:
            return Descent(self.parameters(), self.lr)

    torch.manual_seed(0)
    model = Scratch(0.1)
    history = quiet(10, picture=str(tmp_path / "line.png")).fit(model, Line())
    assert model.w.flatten().tolist() == pytest.approx([2, -3.4], abs=0.05)
    assert history.val_accuracy == [None] * 10
    assert history.val_loss[-1] is not None and history.val_loss[-1] < 1e-3


def test_methods_added_from_outside_and_loaders_of_torch_are_used(
    data: d2l.FashionMNIST,
) -> None:
    class Mine(d2l.FashionMNIST):
        pass

    @d2l.add_to_class(Mine)
    def get_dataloader(self: Mine, train: bool) -> Any:  # pyright: ignore[reportUnusedFunction]
        return DataLoader(self.train if train else self.val, self.batch_size, shuffle=train)

    history = quiet(3).fit(Small(), Mine(batch_size=64, root=data.root))  # pyright: ignore
    assert history.val_accuracy[-1] is not None and history.val_accuracy[-1] > 0.9


def test_without_validation_there_are_no_metrics_of_it(data: d2l.FashionMNIST) -> None:
    data.val_dataloader = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    history = quiet().fit(Small(), data)
    assert history.val_loss == history.val_accuracy == [None]


@pytest.mark.parametrize(("clip", "length"), [(1e-3, 1e-3), (1e9, None)])
def test_gradients_are_shortened_only_if_they_are_longer(
    small_folder: Path, clip: float, length: float | None
) -> None:
    data = d2l.FashionMNIST(batch_size=600, root=small_folder)
    clipped, free = Small(1.0), Small(1.0)
    free(torch.zeros(1, 1, 28, 28))
    clipped(torch.zeros(1, 1, 28, 28))
    clipped.load_state_dict(free.state_dict())
    before = weights(free)
    quiet(gradient_clip_val=clip).fit(clipped, data)
    quiet().fit(free, data)
    moved = torch.cat([(a - b).flatten() for a, b in zip(weights(clipped), before, strict=True)])
    if length is not None:
        assert moved.norm().item() == pytest.approx(length, rel=1e-3)
    else:
        for one, other in zip(weights(clipped), weights(free), strict=True):
            torch.testing.assert_close(one, other)


def test_layers_that_take_views_work_and_weights_end_in_plain_order(
    data: d2l.FashionMNIST,
) -> None:
    class Viewed(Small):
        def forward(self, X: Tensor) -> Tensor:  # noqa: N803
            maps = self.net[:2](X)
            return self.net[3](maps.view(len(maps), -1))

    model: Any = Viewed()
    history = quiet(3).fit(model, data)
    assert history.val_accuracy[-1] is not None and history.val_accuracy[-1] > 0.9
    assert model.net[0].weight.is_contiguous()
    model = Small()
    quiet().fit(model, data)
    assert model.net[0].weight.is_contiguous()


def test_an_error_of_the_readers_own_comes_through(data: d2l.FashionMNIST) -> None:
    class Wrong(Small):
        def training_step(self, batch: Sequence[Tensor]) -> Tensor:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        quiet().fit(Wrong(), data)


def test_a_training_that_diverges_says_where_and_keeps_its_history(
    data: d2l.FashionMNIST,
) -> None:
    trainer = quiet(5)
    with pytest.raises(Diverged, match="of epoch 1") as caught:
        trainer.fit(Small(lr=1e20), data)
    assert caught.value.fix == "try a lower learning rate, lr"
    assert len(trainer.history) == 0


def test_a_loop_of_the_readers_own_is_refused_rather_than_forgotten(
    data: d2l.FashionMNIST,
) -> None:
    class Own(d2l.Trainer):
        def fit_epoch(self) -> None: ...

    with pytest.raises(ConfigError, match="fit_epoch"):
        Own(1).fit(Small(), data)


def test_no_batches_are_refused() -> None:
    class Nothing(d2l.DataModule):
        def get_dataloader(self, train: bool) -> Any:
            return DataLoader(TensorDataset(torch.ones(0, 1)))

    with pytest.raises(ConfigError, match="no batch"):
        quiet().fit(Small(), Nothing())


def test_the_model_ends_in_evaluation_mode_and_counts_are_kept(data: d2l.FashionMNIST) -> None:
    model, trainer = Small(), quiet(2)
    trainer.fit(model, data)
    assert not model.training
    assert (trainer.epoch, trainer.train_batch_idx, trainer.val_batch_idx) == (2, 20, 4)


def test_a_second_fit_begins_a_history_of_its_own(data: d2l.FashionMNIST) -> None:
    model, trainer = Small(), quiet(1)
    first = trainer.fit(model, data)
    assert len(trainer.fit(model, data)) == len(first) == 1


def test_a_constructor_of_the_readers_own_sets_what_the_books_sets(
    data: d2l.FashionMNIST, capsys: pytest.CaptureFixture[str]
) -> None:
    class Own(d2l.Trainer):
        pass

    @d2l.add_to_class(Own)
    def __init__(  # pyright: ignore[reportUnusedFunction] # noqa: N807
        self: Own, max_epochs: int, num_gpus: int = 0, gradient_clip_val: float = 0
    ) -> None:
        self.save_hyperparameters()
        self.gpus = [d2l.gpu(i) for i in range(min(num_gpus, d2l.num_gpus()))]

    @d2l.add_to_class(Own)
    def prepare_batch(self: Own, batch: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
        if self.gpus:
            batch = [d2l.to(part, self.gpus[0]) for part in batch]
        return batch

    history = Own(max_epochs=2, num_gpus=1).fit(Small(), data)
    assert len(history) == 2
    assert capsys.readouterr().out.count("epoch ") == 2


@pytest.mark.gpu
@pytest.mark.skipif(d2l.num_gpus() == 0, reason="there is no GPU")
def test_on_a_gpu_the_images_lie_there_and_nothing_is_to_be_changed(
    data: d2l.FashionMNIST,
) -> None:
    model = Small()
    history = quiet(3, num_gpus=1).fit(model, data)
    assert next(model.parameters()).device.type != "cpu"
    assert history.val_accuracy[-1] is not None and history.val_accuracy[-1] > 0.9
    model.layer_summary((1, 1, 28, 28))
