"""A study's section is in its name."""

from convlens.course.study import Finding, Study


def test_the_section_is_the_first_part_of_the_name() -> None:
    study = Study(
        name="7.4-blocks",
        question="?",
        notebook="-",
        verdict="right",
        answer="!",
        experiment=lambda _: Finding(numbers={}, text="", holds=True),
    )
    assert study.section == "7.4"
