#!/usr/bin/env bash
# torch 2.13.0: the gradient of torch.logsumexp is exp(x - result) of the rounded result, so it loses
# digits as entries grow, and is wrong by a factor of their number in the end. Of three equal float32
# entries each should get 1/3, which torch.softmax gives for entries of any size.
#
# Seen: 0.33235 at 1e5, and 1 for each of them at 1e8, where the gradients of a log-sum-exp must
# add up to 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

for size, seen in ((1.0, 1 / 3), (1e5, 0.33235), (1e8, 1.0)):
    x = torch.full((3,), size, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch.logsumexp(x, 0), x)
    print(torch.__version__, size, gradient, torch.softmax(x, 0).detach())
    third = torch.full((3,), 1 / 3)
    assert torch.allclose(torch.softmax(x, 0), third, rtol=1e-6)
    assert torch.allclose(gradient, torch.full((3,), seen), rtol=1e-5), "the behaviour has changed"
PYTHON
