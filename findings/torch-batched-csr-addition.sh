#!/usr/bin/env bash
# torch 2.13.0: the sum of two batched CSR tensors of equal patterns has the values of the first item
# alone. Neither an error nor a warning; the shape of the result still has the batch. (A + A, where
# the index tensors are the very same, is right, so a quick test misses it.) In-place
# addition does the same, and with it autograd's accumulation into the .grad of a batched
# CSR leaf, so that gradients of several backward passes are lost.
#
# Seen: values of shape (2,), [2, 2], where (2, 2), [[2, 2], [4, 4]], is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

items = torch.stack([torch.eye(2), 2 * torch.eye(2)])
A = items.to_sparse_csr()
total = A + A.clone()
print(torch.__version__, tuple(total.shape), total.values())
assert (A + A).values().tolist() == [[2, 2], [4, 4]]
assert total.shape == (2, 2, 2)
assert total.values().tolist() == [2, 2], "the behaviour has changed"


class Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, A):
        ctx.pattern = A.crow_indices(), A.col_indices(), A.shape
        return A.values().sum()

    @staticmethod
    def backward(ctx, cotangent):
        positions, coordinates, shape = ctx.pattern
        ones = cotangent.expand(coordinates.shape)
        return torch.sparse_csr_tensor(positions, coordinates, ones, shape)


A.requires_grad_()
Sum.apply(A).backward()
assert A.grad.values().tolist() == [[1, 1], [1, 1]]
Sum.apply(A).backward()
print(A.grad.values())
assert A.grad.values().tolist() == [2, 2], "the behaviour has changed"
PYTHON
