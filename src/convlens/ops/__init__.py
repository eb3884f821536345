"""Workshop: mathematics on tensors, each operation with one meaning and several implementations.

correlation, pooling   the operations, on batches; `implementation` names the algorithm
plain                  the same on plain matrices and nested lists
catalog                the implementations by name, and what each can do
algorithms             their code
window, geometry       how a kernel slides; checks asks whether the tensors fit
gradient, cost         the backward passes by hand; what an operation takes
kernels                a gallery of named kernels
"""
