"""Tables and messages, in a pipe and on a terminal."""

import pytest

from convlens.cli.console import fail, print_json, print_pairs, print_table


def test_a_table_in_a_pipe_has_no_escape_codes_and_no_blank_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["name", "number"], [["a", "1,000"], ["[red]b[/]", "7"]], title="two rows")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert lines[0] == "two rows"
    assert lines[-1].split() == ["[red]b[/]", "7"]  # what looks like markup is text


def test_numbers_stand_to_the_right_and_words_to_the_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["n", "what"], [["1", "10 things"], ["100", "ten"]])
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.index("1") > second.index("1")
    assert first.index("10 things") == second.index("ten")


def test_errors_go_to_stderr_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    fail("it broke", "mend it\nor leave it")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: it broke\n  mend it\n  or leave it\n"


def test_pairs_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_pairs({"a": "1", "long": "2"})
    assert capsys.readouterr().out == "a     1\nlong  2\n"


def test_json_keeps_the_letters_of_every_language(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"이름": "합성곱"})
    assert "합성곱" in capsys.readouterr().out
