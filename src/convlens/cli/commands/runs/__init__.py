"""Commands about what has been trained.

command.py   the runs listed, and one of them
chosen.py    the runs that the options ask for, in their order
compare.py   runs beside each other, and which recipe is better
report.py    runs as a page to hand in
"""
