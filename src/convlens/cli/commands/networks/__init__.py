"""Commands about networks that are not trained: counted, drawn up, compared.

wanted.py           the network that the options ask for
models.py           `convlens models`
summary.py          `convlens summary`
compare_models.py   `convlens compare-models`
"""
