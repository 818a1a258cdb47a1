#!/usr/bin/env bash
# torch 2.13.0: whatever differentiates the forward-mode derivative of torch.linalg.solve by the
# matrix gets a wrong number, without a word: jacrev(jacfwd(f)) and jacfwd(jacfwd(f)) are not
# jacfwd(jacrev(f)). The nestings whose first derivative is reverse mode are right, and so are all
# four by torch.linalg.inv(A) @ B. A test that takes dense torch as its reference for these nestings
# finds faults that are not there.
#
# Seen, for the Hessian of sum(A^-1 B) at a 3 x 3 matrix: forward first 0.06 from central
# differences of the gradient, reverse first 5e-11; by the inverse 4e-11 throughout.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch.func import jacfwd, jacrev

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
A = torch.randn(3, 3) + 3 * torch.eye(3)
B = torch.randn(3, 2)


def by_inverse(A, B):
    return torch.linalg.inv(A) @ B


def differences(solve):
    def f(A):
        return solve(A, B).sum()

    step, gradient = 1e-6, jacrev(f)
    exact = torch.zeros(3, 3, 3, 3)
    for i in range(3):
        for j in range(3):
            along = torch.zeros(3, 3)
            along[i, j] = step
            exact[:, :, i, j] = (gradient(A + along) - gradient(A - along)) / (2 * step)
    nestings = [(jacfwd, jacfwd), (jacfwd, jacrev), (jacrev, jacfwd), (jacrev, jacrev)]
    hessians = [outer(inner(f))(A) for outer, inner in nestings]
    return [(hessian - exact).abs().max().item() for hessian in hessians]


of_solve, of_inverse = differences(torch.linalg.solve), differences(by_inverse)
print(torch.__version__, *(f"{difference:.1g}" for difference in of_solve + of_inverse))
assert max(of_inverse) < 1e-7
assert max(of_solve[1], of_solve[3]) < 1e-7
assert min(of_solve[0], of_solve[2]) > 0.01, "the behaviour has changed"
PYTHON
