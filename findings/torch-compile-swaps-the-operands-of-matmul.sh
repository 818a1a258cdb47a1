#!/usr/bin/env bash
# torch 2.13.0: in torch.compile, `a @ b` of an object `a` that has a __torch_function__ and a tensor
# `b` calls it as for `b @ a`: the operands are swapped, and the function is not the reversed one.
# Nothing tells the two apart then. Eager code calls a.__matmul__(b).
#
# Seen: the arguments of __torch_function__ are (tensor, object), the function is Tensor.matmul.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch


class Left:
    def __matmul__(self, other):
        return other + 1

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        seen.append((function, [type(x) is Left for x in args]))
        return args[0] if type(args[1]) is Left else args[1]


seen, left, b = [], Left(), torch.zeros(2, 2)
for f in (lambda: left @ b, lambda: b @ left):
    torch.compile(f, backend="eager", fullgraph=True)()
print(torch.__version__, seen)
assert seen[0] == seen[1], "the behaviour has changed"
PYTHON
