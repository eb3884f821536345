"""How a training is computed on this machine: numbers, threads, and who else is at work.

precision.py        bfloat16 where the hardware has it, and a refusal where it has not
denormals.py        tiny numbers as zeros, in all threads
contention.py       how much longer steps take because of other programs
"""
