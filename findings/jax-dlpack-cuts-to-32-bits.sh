#!/usr/bin/env bash
# jax 0.10.2: jax.dlpack.from_dlpack of a float64 or int64 tensor gives a float32 or int32 array unless
# JAX's switch for 64 bits is on at that moment. No error and no warning, although an exchange of
# memory is asked for, not a conversion; integers lose their upper half.
#
# Seen: 2^40 + 1 becomes 1, and 1e-300 becomes 0; within jax.enable_x64(True) both stay.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 jax==0.10.2
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import jax
import torch

whole, tiny = torch.tensor([2**40 + 1]), torch.tensor([1e-300], dtype=torch.float64)
cut = [jax.dlpack.from_dlpack(x) for x in (whole, tiny)]
with jax.enable_x64(True):
    kept = [jax.dlpack.from_dlpack(x) for x in (whole, tiny)]
print(jax.__version__, cut, [str(x.dtype) for x in cut], [str(x.dtype) for x in kept])
assert [str(x.dtype) for x in kept] == ["int64", "float64"]
assert int(kept[0][0]) == 2**40 + 1
assert [str(x.dtype) for x in cut] == ["int32", "float32"], "the behaviour has changed"
assert int(cut[0][0]) == 1 and float(cut[1][0]) == 0, "the behaviour has changed"
PYTHON
