"""Tables and messages, in a pipe and on a terminal."""

import pytest

from convlens.cli.console import PIPE_WIDTH, fail, print_json, print_pairs, print_table


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


def test_sums_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["n"], [["5x5x1x6 + 6 = 156"], ["7"]])
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert len(first) == len(second)


def test_a_row_that_is_not_folded_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 100 + "end"
    print_table(["two words", "b"], [[long, "x"]], fold=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{long}  x"
    assert [line.split()[0] for line in lines[:2]] == ["two", "words"]
    print_table(["a", "b"], [[long, "x"]])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= PIPE_WIDTH


def test_on_a_terminal_a_table_that_is_too_wide_says_how_to_scroll(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take a pipe for a terminal
    monkeypatch.setenv("COLUMNS", "40")
    print_table(["a"], [["x" * 41]], fold=False)
    out, err = capsys.readouterr()
    assert "x" * 41 in out
    assert err == "the table is 41 columns wide; to scroll it: | less -S\n"
    print_table(["a"], [["x" * 40]], fold=False)
    assert capsys.readouterr().err == ""


def test_long_pairs_are_folded_between_words_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = {"name": "some words, stem 1", "b": "a/path-that-is-longer/than-the-line"}
    print_pairs(pairs)
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_pairs(pairs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["name  some words,", "      stem 1"]
    assert lines[-1].split()[-1] == "a/path-that-is-longer/than-the-line"


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
