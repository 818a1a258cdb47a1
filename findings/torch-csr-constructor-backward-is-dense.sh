#!/usr/bin/env bash
# torch 2.13.0: the backward of torch.sparse_csr_tensor makes a dense matrix of the whole
# shape, whatever is asked of the result: two entries in a matrix of 10^6 by 10^6 ask for
# 4 * 10^12 bytes for a gradient of two numbers. The COO constructor does not.
#
# Seen: RuntimeError of the allocator, 'you tried to allocate 4000000000000 bytes'.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import resource

import torch

# Should it ever be granted, it must not fill the machine.
resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))
n = 10**6
positions = torch.full((n + 1,), 2)
positions[0] = 0
values = torch.ones(2, requires_grad=True)
csr = torch.sparse_csr_tensor(positions, torch.tensor([0, 1]), values, (n, n))
try:
    csr.values().sum().backward()
    message = ""
except RuntimeError as error:
    message = str(error)
print(torch.__version__, message.splitlines()[0] if message else "no error")
assert f"{4 * n * n} bytes" in message, "the behaviour has changed"

indices = torch.tensor([[0, 0], [0, 1]])
coo = torch.sparse_coo_tensor(indices, values, (n, n)).coalesce()
coo.values().sum().backward()
assert values.grad.tolist() == [1, 1]
PYTHON
