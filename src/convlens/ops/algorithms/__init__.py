"""Algorithms: the ways to compute one operation, each a module with the same functions.

    correlate(x, kernel, bias, geometry)                  the cross-correlation
    transpose(x, kernel, bias, geometry, output_padding)  its transpose
    pool(x, geometry, reduce)                             max or average pooling
    adaptive_pool(x, output_size, reduce)                 the same with a given output size

They are handed checked tensors and a checked geometry; `ops/catalog.py` lists who has what.
"""
