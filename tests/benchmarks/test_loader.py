from benchmarks.loader import NUM_WORKERS, SIZES, report


def test_each_size_is_compared_with_each_peer_of_that_size() -> None:
    seconds = {f"{size}x{size} ConvLens": [1.0] for size in SIZES}
    for size in SIZES:
        seconds |= {f"{size}x{size} torchvision {n} workers": [n + 2.0] for n in NUM_WORKERS}
    made = report(seconds, {"torch": "2.0"}, num_images=100)
    ratios = made.data["ratios"]
    assert len(ratios) == len(SIZES) * len(NUM_WORKERS)
    assert ratios["96x96 torchvision 2 workers / 96x96 ConvLens"] == [4.0]
