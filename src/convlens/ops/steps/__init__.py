"""Steps: one number of a result opened up, down to the products that make it.

    records.py   what a step is made of: plain numbers in frozen dataclasses
    forward.py   a correlation, or a true convolution, cell by cell
    pooling.py   the greatest or the mean of a window, and its backward pass
    backward.py  dL/dx and dL/dkernel of a correlation, cell by cell
    learn.py     a kernel learned from an image and what it should become

Where a window looks is always `Window.taps`, and what the border holds is always
`geometry.source`: nothing here does that arithmetic itself.
"""
