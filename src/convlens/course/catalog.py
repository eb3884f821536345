"""All studies by name."""

from convlens.core.names import Table
from convlens.course.studies import channels, convolutions, lenet, networks, padding, pooling
from convlens.course.study import Study

STUDIES: Table[Study] = Table(
    "study",
    *(
        (study.name, study)
        for room in (convolutions, padding, channels, pooling, lenet, networks)
        for study in room.STUDIES
    ),
)
