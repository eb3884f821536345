"""What the command line leaves with, one number for one kind of ending.

0    good
1    a checked answer is wrong, or a check failed
2    usage or configuration, also a batch that does not fit into memory
3    missing or bad data, run or weights
4    the training diverged
130  interrupted
"""

from convlens.core.errors import ConvLensError, DataError, Diverged, RunError

CHECK_FAILED, USAGE, BAD_DATA, DIVERGED, INTERRUPTED = 1, 2, 3, 4, 130


def exit_code(error: ConvLensError) -> int:
    """The exit code that an error leaves with."""
    match error:
        case DataError() | RunError():
            return BAD_DATA
        case Diverged():
            return DIVERGED
        case _:
            return USAGE
