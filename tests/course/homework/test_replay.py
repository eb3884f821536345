"""A replay holds every part, and names what is not as it should be."""

from dataclasses import replace

from convlens.course.homework.replay import Homework
from convlens.course.study import Claim
from convlens.course.values import VALUES
from tests.course.homework.tiny import CHEAP, TINY


def test_every_part_is_there(homework: Homework) -> None:
    assert homework.faults == ()
    assert [each.value for each in homework.values] == list(VALUES)
    assert [each.training for each in homework.trainings] == [TINY]
    assert [each.study.name for each in homework.answers] == list(CHEAP)
    assert len(homework.formulas) == 6
    assert homework.seconds > 0


def test_each_kind_of_fault_is_named(homework: Homework) -> None:
    formula, _ = homework.formulas[0]
    value = replace(homework.values[3], agrees=False)
    answer = homework.answers[1]
    finding = replace(answer.finding, claims=(Claim("said", "it is so", False),))
    training = replace(homework.trainings[0], training=replace(TINY, expected=(1.1, 1.2)))
    wrong = replace(
        homework,
        formulas=((formula, False), *homework.formulas[1:]),
        values=(value,),
        kernel=replace(homework.kernel, num_within=3),
        trainings=(training,),
        answers=(replace(answer, finding=finding),),
    )
    assert wrong.faults == (
        f"7.1, formula of {formula.what}",
        f"7.2, {value.value.what}",
        "7.2, the learned kernel",
        "7.6, training of Tiny LeNet",
        "study 7.3-shape",
    )
