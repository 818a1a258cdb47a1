"""Infers how well every triangle of a mesh conducts heat, from temperatures, through solves.

The temperatures U of heated air at rest solve K(k) U = F, where the finite-element matrix
K(k) = sum over the triangles of k_t K_t is linear in the conductivities. U is seen with noise; the
gradient of the misfit with respect to every k_t costs one more solve, by the same method.
"""

import numpy as np
import torch
from mesh import airfoil, hidden_conductivity

import tsgu

_SOURCES = 16  # heat sources, each of which is seen on its own
_NOISE = 1e-3  # of what is seen, relative
_SMOOTH = 1e-7  # weight of the jumps of log k between neighbouring triangles
_STEPS = 60  # of L-BFGS


def _solve(pattern, values, F):
    """U of K U = F; a conjugate gradient method, for K is symmetric and positive definite."""
    K = tsgu.csr(*pattern, values, (len(F), len(F)))
    return tsgu.sparse_generic_solve(K, F, "cg", preconditioner="ic0", rtol=1e-10)


def _errors(pattern, values, F):
    """Largest relative differences to dense torch: U, the gradients of K and of F."""
    positions, columns = pattern
    rows = torch.repeat_interleave(torch.arange(len(F)), positions.diff())
    G = torch.randn_like(F)
    ours = [values.clone().requires_grad_(), F.clone().requires_grad_()]
    U = _solve(pattern, *ours)
    U.backward(G)
    K = torch.zeros(len(F), len(F), dtype=F.dtype)
    K[rows, columns] = values
    theirs = [K.requires_grad_(), F.clone().requires_grad_()]
    expected = torch.linalg.solve(*theirs)
    expected.backward(G)
    pairs = [(U, expected), (ours[0].grad, K.grad[rows, columns]), (ours[1].grad, theirs[1].grad)]
    return [((x - y).abs().max() / y.abs().max()).item() for x, y in pairs]


def _minimise(loss, k, steps):
    """Values of the loss while L-BFGS changes k."""
    losses = []
    search = torch.optim.LBFGS([k], max_iter=steps, history_size=20, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        now = loss()
        now.backward()
        losses.append(now.item())
        return now

    search.step(closure)
    return losses


def infer(refinements):
    """Everything that the picture shows, by name."""
    mesh, K = airfoil(refinements)
    assembly = mesh.assembly()[1]
    assemble = tsgu.csr(
        *map(torch.from_numpy, (assembly.indptr, assembly.indices, assembly.data)), assembly.shape
    )
    neighbours = torch.from_numpy(mesh.neighbours())
    pattern = torch.from_numpy(K.indptr), torch.from_numpy(K.indices)
    hidden = torch.from_numpy(np.log(hidden_conductivity(mesh.centres)))

    torch.manual_seed(1)
    F = torch.randn(K.shape[0], _SOURCES, dtype=torch.float64)
    names = ("solution", "gradient of K", "gradient of F")
    errors = zip(names, _errors(pattern, torch.from_numpy(K.data), F), strict=True)
    print(
        f"K U = F, n = {K.shape[0]}, p = {_SOURCES}, against dense torch:",
        ", ".join(f"{name} {error:.0e}" for name, error in errors),
    )

    def temperatures(k):
        return _solve(pattern, tsgu.sparse_mm(assemble, k.exp().unsqueeze(1)).squeeze(1), F)

    seen = temperatures(hidden)
    size = seen.abs().mean()
    seen = seen + _NOISE * size * torch.randn_like(seen)
    k = torch.zeros_like(hidden).requires_grad_()

    def loss():
        misfit = ((temperatures(k) - seen) / size).square().mean()
        return misfit + _SMOOTH * (k[neighbours[:, 0]] - k[neighbours[:, 1]]).square().sum()

    losses = _minimise(loss, k, _STEPS)
    error = (k.detach() - hidden).abs()
    print(
        f"inferring {len(k)} conductivities: loss {losses[0]:.1e} -> {losses[-1]:.1e} in "
        f"{len(losses)} gradients, half of them within {100 * error.median():.1f} %"
    )
    return {
        "mesh": mesh,
        "hidden": hidden.exp().numpy(),
        "found": k.detach().exp().numpy(),
        "seen": mesh.everywhere(seen[:, 0].numpy()),
        "losses": losses,
    }
