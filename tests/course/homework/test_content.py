"""The JSON of a homework says all of it in plain values."""

import json
from pathlib import Path

from convlens.course.homework.content import content, save_content
from convlens.course.homework.replay import Homework


def test_everything_is_plain_json_and_complete(homework: Homework, tmp_path: Path) -> None:
    save_content(homework, tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(content(homework)))
    assert found["edition"] == "quick"
    assert found["faults"] == []
    assert len(found["values"]) == len(homework.values)
    assert found["values"][0]["printed"] == [[19, 25], [37, 43]]
    (training,) = found["trainings"]
    assert training["summary"]["test"]["accuracy"] == homework.trainings[0].accuracy
    assert training["expected"] == {"low": 0.0, "high": 1.0}
    study = next(each for each in found["studies"] if each["name"] == "8.2-layers")
    assert study["verdict"] == "wrong"
    assert study["holds"] is True
    assert study["claims"][0].keys() == {"part", "claim", "true", "as_expected"}
