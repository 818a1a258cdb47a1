#!/usr/bin/env bash
# torch 2.13.0: forward mode inside forward mode is exactly zero through an
# autograd.Function that has setup_context and jvp, although its jvp is written in
# differentiable torch operations. One level of forward mode, and any mixture with reverse
# mode, are right, so tests of first derivatives and of Hessians by jacfwd(jacrev(f)) pass.
#
# f(a) = a * a^2 at a = 2: the second derivative is 6 a = 12. Seen: 12 by torch.mul, 0 by the
# Function that wraps the same product.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch.func import grad, jvp


class Product(torch.autograd.Function):
    @staticmethod
    def forward(a, b):
        return a * b

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, cotangent):
        a, b = ctx.saved_tensors
        return cotangent * b, cotangent * a

    @staticmethod
    def jvp(ctx, tangent_a, tangent_b):
        a, b = ctx.saved_tensors
        return tangent_a * b + a * tangent_b


a, one = torch.tensor([2.0, 1.0], dtype=torch.float64)


def forward(f):
    return lambda x: jvp(f, (x,), (one,))[1]


def second_derivatives(product):
    def f(x):
        return product(x, x * x)

    pairs = [(forward, forward), (forward, grad), (grad, forward), (grad, grad)]
    return [outer(inner(f))(a).item() for outer, inner in pairs]


print(torch.__version__, second_derivatives(torch.mul), second_derivatives(Product.apply))
assert second_derivatives(torch.mul) == [12, 12, 12, 12]
assert second_derivatives(Product.apply) == [0, 12, 12, 12], "the behaviour has changed"
PYTHON
