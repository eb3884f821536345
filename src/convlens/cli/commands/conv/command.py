"""`convlens conv`: a convolution, a pooling or their gradients, number by number."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli import options
from convlens.cli.commands.conv import learn, picture
from convlens.cli.console import print_json, print_table
from convlens.cli.exit_codes import INTERRUPTED
from convlens.ops.geometry import PaddingMode, Reduce

if TYPE_CHECKING:
    from convlens.cli.commands.conv.views import View

app = typer.Typer(name="conv", rich_markup_mode=None)
app.command()(learn.learn)
app.command()(picture.picture)

Input = Annotated[
    str, typer.Option("--input", "-i", help='Numbers as "0 1; 2 3", a .csv, .npy or picture file.')
]
Kernel = Annotated[
    str, typer.Option("--kernel", "-k", help="Numbers, a file, or a name of --kernels.")
]
Kernels = Annotated[bool, typer.Option("--kernels", help="List the named kernels.")]
At = Annotated[str | None, typer.Option(help="Which output: row,column or channel,row,column.")]
Walk = Annotated[bool, typer.Option("--walk", help="Every step, one after the other.")]
Stride = Annotated[str | None, typer.Option(help="2, or 1,2 for rows and columns. [default: 1]")]
Padding = Annotated[str, typer.Option(help="Cells added at each side.")]
Dilation = Annotated[str, typer.Option(help="Distance of the cells that a window reads.")]
Groups = Annotated[int, typer.Option(help="Channels are split into so many groups.")]
Mode = Annotated[PaddingMode, typer.Option(help="What the padding holds.")]
Bias = Annotated[str | None, typer.Option(help="A number, or one for each channel out.")]
Turned = Annotated[bool, typer.Option("--true-convolution", help="Turn the kernel around.")]
Pool = Annotated[Reduce | None, typer.Option(help="Pool instead.")]
Size = Annotated[str, typer.Option(help="Of the pooling window, which is also its stride.")]
Ceil = Annotated[
    bool, typer.Option("--ceil-mode", help="A last pooling window may hang over the edge.")
]
CountPad = Annotated[
    bool,
    typer.Option(
        "--count-include-pad/--no-count-include-pad",
        help="Whether a mean is over the padding too.",
    ),
]
Gradients = Annotated[bool, typer.Option("--backward", help="dL/dx and dL/dkernel instead.")]
Grad = Annotated[str | None, typer.Option(help="dL/dy for --backward.  [default: all ones]")]
Entry = Annotated[str, typer.Option(help="Which entry of dL/dkernel: row,column.")]


@app.callback(invoke_without_command=True)
def conv(
    context: typer.Context,
    *,
    x: Input = "0 1 2; 3 4 5; 6 7 8",
    kernel: Kernel = "0 1; 2 3",
    kernels: Kernels = False,
    at: At = None,
    walk: Walk = False,
    stride: Stride = None,
    padding: Padding = "0",
    dilation: Dilation = "1",
    groups: Groups = 1,
    padding_mode: Mode = "zeros",
    bias: Bias = None,
    true_convolution: Turned = False,
    pool: Pool = None,
    size: Size = "2",
    ceil_mode: Ceil = False,
    count_include_pad: CountPad = True,
    backward: Gradients = False,
    grad: Grad = None,
    entry: Entry = "0,0",
    as_json: options.Json = False,
) -> None:
    """Show every number of a convolution: window, kernel, products, sum, place.

    \b
    Examples:
      convlens conv
      convlens conv --padding 1 --walk
      convlens conv --input "0 1 2; 3 4 5; 6 7 8" --kernel sobel-x --padding 1 --at 0,2
      convlens conv --input photo.jpg --kernel gaussian:5,1 --groups 3 --at 2,40,60
      convlens conv --pool max --stride 1 --walk
      convlens conv --pool avg --ceil-mode --walk
      convlens conv --backward --at 1,1 --json

    The window stands in a box, padding in (), cells that are read or made in [].
    Numbers are shown to 4 digits, in --json whole. Channels of --input and
    --kernel have a bar between them: "1 2; 3 4 | 5 6; 7 8".
    """
    if context.invoked_subcommand is not None:
        return
    if kernels:
        _list_kernels(as_json)
        return
    from convlens.cli.commands.conv.draw import show
    from convlens.cli.commands.conv.question import Options
    from convlens.cli.commands.conv.views import view_of
    from convlens.ops.steps.records import plain

    asked = Options(
        input=x, kernel=kernel, bias=bias, stride=stride, padding=padding, dilation=dilation,
        groups=groups, padding_mode=padding_mode, true_convolution=true_convolution,
        pool=pool, size=size, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
    )  # fmt: skip
    view = view_of(asked, backward=backward, grad=grad, at=at, entry=entry, walk=walk)
    if as_json:
        print_json(plain(view.content(tuple(view.steps))))
        return
    show(view.head)
    _walk(view)
    print(f"next: {_next(context)}")


def _walk(view: "View") -> None:
    """The steps: all of them in a pipe, on a terminal one for each press of Enter."""
    from convlens.cli.commands.conv.draw import show

    waits = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        for index, step in enumerate(view.steps, start=1):
            print()
            if view.count > 1:
                print(f"step {index} of {view.count}")
            show(view.lines(step))
            if not waits or index == view.count:
                continue
            if input("Enter: the next step, q: stop ").strip().lower() == "q":
                break
    except EOFError:
        print()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    print()


def _list_kernels(as_json: bool) -> None:
    from convlens.ops.kernels import KERNELS

    if as_json:
        print_json(
            {
                "kernels": {
                    name: {
                        "about": entry.about,
                        "source": entry.source,
                        "parameters": list(entry.parameters),
                        "default": entry.make().tolist(),
                    }
                    for name, entry in KERNELS.items()
                }
            }
        )
        return
    rows = [
        [f"{name}:{','.join(entry.parameters)}" if entry.parameters else name, entry.about]
        for name, entry in KERNELS.items()
    ]
    print_table(["kernel", "what it does"], rows)
    print("next: convlens conv --kernel sobel-x --padding 1")


def _next(context: typer.Context) -> str:
    """The same question asked further: every step, then the gradients, then as JSON."""
    typed: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in ("at", "walk", "entry"):
            continue
        value = context.params[name]
        if isinstance(value, bool):
            typed.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            typed += [parameter.opts[0], str(value)]
    if not context.params["walk"]:
        further = ["--walk"]
    elif not context.params["backward"]:
        further = ["--backward"]
    else:
        further = ["--json"]
    return shlex.join(["convlens", "conv", *typed, *further])
