from benchmarks.d2l_epoch import D2L, OUR_D2L, OURS, QUIET_D2L, report
from benchmarks.results import grid_lines


def test_the_ratios_are_of_the_same_round() -> None:
    def told(*seconds: float) -> list[dict[str, float]]:
        return [{"seconds": s, "accuracy": 0.5, "idle_cpu_seconds": 0.0} for s in seconds]

    ready = {
        "import_seconds": 1.0,
        "data_seconds": 2.0,
        "build_seconds": 3.0,
        "threads": 2,
        "versions": {"torch": "2.0"},
    }
    made = report(
        dict.fromkeys((D2L, QUIET_D2L, OURS, OUR_D2L), ready),
        {
            D2L: told(12.0, 30.0),
            QUIET_D2L: told(10.0, 20.0),
            OURS: told(2.0, 10.0),
            OUR_D2L: told(3.0, 10.0),
        },
    )
    assert made.data["ratios"] == {
        "d2l / ConvLens": [6.0, 3.0],
        "d2l without drawing / ConvLens": [5.0, 2.0],
        "ConvLens by d2l's names / ConvLens": [1.5, 1.0],
    }
    text = "\n".join(line for grid in made.grids for line in grid_lines(grid))
    assert "10,000" in text  # 60,000 images in the median of ConvLens, 6 s
    assert "torch 2.0" in text
