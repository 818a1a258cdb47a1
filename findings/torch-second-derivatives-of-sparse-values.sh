#!/usr/bin/env bash
# torch 2.13.0: second derivatives of the values of sparse tensors vanish in silence. With
# create_graph=True the gradient that comes back through values() of a CSR tensor, or through
# the constructor of a COO tensor, does not require grad: it is a constant to whatever is
# computed from it, and a penalty on gradients trains nothing. values() of a COO leaf is right,
# so the layout decides.
#
# The gradient of sum(v^3) is 3 v^2. Seen: requires_grad False, False, True.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

values = torch.tensor([1.0, 2.0])
positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 1])
indices = torch.tensor([[0, 1], [0, 1]])


def gradient(of, leaf):
    return torch.autograd.grad((of**3).sum(), leaf, create_graph=True)[0]


csr = torch.sparse_csr_tensor(positions, coordinates, values, (2, 2)).requires_grad_()
coo = torch.sparse_coo_tensor(indices, values, (2, 2), is_coalesced=True).requires_grad_()
leaf = values.clone().requires_grad_()
made = torch.sparse_coo_tensor(indices, leaf, (2, 2)).coalesce()

of_csr = gradient(csr.values(), csr)
of_made = gradient(made.values(), leaf)
of_coo = gradient(coo.values(), coo)
assert of_csr.values().tolist() == of_made.tolist() == of_coo.coalesce().values().tolist()
assert of_csr.values().tolist() == [3, 12]
found = [of_csr.requires_grad, of_made.requires_grad, of_coo.requires_grad]
print(torch.__version__, found)
assert found == [False, False, True], "the behaviour has changed"
PYTHON
