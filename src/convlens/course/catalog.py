"""The studies by name: the questions of the notebook, in the order of the book."""

from convlens.core.names import Table
from convlens.course.studies import (
    channels,
    convolution,
    lenet,
    padding,
    pooling,
    resnet,
    sequences,
    vgg,
)
from convlens.course.study import Study


def _table(*studies: Study) -> Table[Study]:
    return Table("study", *((study.name, study) for study in studies), as_given=True)


STUDIES: Table[Study] = _table(
    sequences.AUDIO,
    sequences.TEXT,
    convolution.DIAGONAL,
    padding.SHAPE,
    padding.STRIDE,
    channels.ORDER,
    channels.BLOCKS,
    pooling.AVERAGE,
    pooling.MAXIMUM,
    lenet.MODERN,
    lenet.NOISE,
    vgg.PARAMETERS,
    vgg.LAYERS,
    resnet.BLOCKS,
)
