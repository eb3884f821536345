"""Commands about the machine that trains.

doctor.py           `convlens doctor`
probe.py            `convlens probe`
"""
