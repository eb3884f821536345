"""ConvLens: understand a convolution down to every number, and train on the machine you have."""

__version__ = "0.1.0"
