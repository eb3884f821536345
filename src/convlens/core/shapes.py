"""The letters of the axes, one legend for code, docs and pictures, and the few shared arrays.

    n  batch                 h w    input height and width     g  groups
    c  channels in           oh ow  output height and width
    o  channels out          kh kw  kernel height and width

Images are rows first, (h, w); a pixel in memory is 0..255, in a batch a float.
"""

from jaxtyping import Float, Int64, UInt8
from torch import Tensor

Pixels = UInt8[Tensor, "n c h w"]
Batch = Float[Tensor, "n c h w"]
Maps = Float[Tensor, "n o oh ow"]  # what a layer or a block makes of a batch
Labels = Int64[Tensor, "n"]
Logits = Float[Tensor, "n num_classes"]
SoftLabels = Float[Tensor, "n num_classes"]  # the share of each class in an image; rows sum to 1
