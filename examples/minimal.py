"""Learns the resistances of a network from its voltages, in a minute to read and a second to run.

Ten nodes in a ring, one of them joined to ground. Currents flow in, voltages are measured: V =
A^-1 I, where A holds the conductances of the wires on a sparse pattern.
"""

import torch

import tsgu

n = 10
here, there = torch.arange(n), (torch.arange(n) + 1) % n  # the two ends of each wire
rows = torch.cat([here, there, here, there, torch.tensor([0])])
columns = torch.cat([there, here, here, there, torch.tensor([0])])
pattern = tsgu.Pattern.coo(torch.stack([rows, columns]), (n, n))


def voltages(conductances, currents):
    """The solution of A V = I: each wire adds to four entries of A."""
    c, ground = conductances, torch.ones(1, dtype=torch.float64)
    A = tsgu.Matrix(pattern, torch.cat([-c, -c, c, c, ground]))
    return tsgu.sparse_generic_solve(A, currents, "cholesky")


torch.manual_seed(0)
currents = torch.randn(n, 4, dtype=torch.float64)
hidden = 0.5 + torch.rand(n, dtype=torch.float64)
measured = voltages(hidden, currents)

logarithms = torch.nn.Parameter(torch.zeros(n, dtype=torch.float64))
optimizer = torch.optim.LBFGS([logarithms], max_iter=200, line_search_fn="strong_wolfe")


def loss():
    optimizer.zero_grad()
    error = (voltages(logarithms.exp(), currents) - measured).square().sum()
    error.backward()
    return error


optimizer.step(loss)
print("hidden ", *(f"{x:.4f}" for x in hidden.tolist()))
print("learned", *(f"{x:.4f}" for x in logarithms.exp().tolist()))
