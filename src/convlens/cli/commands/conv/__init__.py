"""`convlens conv`: every number of a convolution, open.

command.py   the command and its options
question.py  what the options ask, as an operation of `ops/steps`
steps.py     a step as lines of text
draw.py      matrices as text: boxed, cropped, side by side
learn.py     `convlens conv learn`
picture.py   `convlens conv picture`
"""
