from benchmarks.loader import GOALS, NUM_WORKERS, best_peer, report
from benchmarks.results import grid_lines

VERSIONS = {"ConvLens": {"torch": "2.0"}, "torchvision": {"torch": "2.1"}}
# At each size two worker processes are the fastest.
SECONDS = {f"{size}x{size} ConvLens": [1.0] for size in GOALS} | {
    f"{size}x{size} torchvision {n} workers": [n + 9.0 if n != 2 else 4.0]
    for size in GOALS
    for n in NUM_WORKERS
}


def test_each_size_is_compared_with_each_peer_of_that_size() -> None:
    made = report(SECONDS, VERSIONS)
    ratios = made.data["ratios"]
    assert len(ratios) == len(GOALS) * len(NUM_WORKERS)
    assert ratios["96x96 torchvision 2 workers / 96x96 ConvLens"] == [4.0]


def test_the_target_stands_beside_torchvisions_best() -> None:
    assert best_peer(SECONDS, 224) == "224x224 torchvision 2 workers"
    _, ratio = report(SECONDS, VERSIONS).grids
    assert ratio.header[-1] == "target"
    targets = {row[0]: row[-1] for row in ratio.rows if row[-1]}
    assert targets == {
        "96x96 torchvision 2 workers / 96x96 ConvLens": "15",
        "224x224 torchvision 2 workers / 224x224 ConvLens": "5",
    }


def test_one_size_alone_can_be_reported() -> None:
    seconds = {name: values for name, values in SECONDS.items() if name.startswith("28x28")}
    made = report(seconds, VERSIONS)
    assert len(made.data["ratios"]) == len(NUM_WORKERS)
    assert "60,000" in "\n".join(grid_lines(made.grids[0]))
