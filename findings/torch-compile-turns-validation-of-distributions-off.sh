#!/usr/bin/env bash
# torch 2.13.0: the first call of anything compiled by torch.compile turns the validation of
# torch.distributions off, for the whole process and for good, whether or not what is compiled has to
# do with distributions. Parameters and samples that were ValueErrors before are taken from then on.
#
# Seen: Normal(0, -1) is refused before an unrelated compiled function runs, and accepted after; its
# log_prob is NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch.distributions import Normal


def is_refused():
    try:
        Normal(0.0, -1.0)
    except ValueError:
        return True
    return False


before = is_refused()
torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1))
after = is_refused()
print(torch.__version__, "refused before:", before, "after:", after)
assert before
assert not after, "the behaviour has changed"
assert Normal(0.0, -1.0).log_prob(torch.zeros(())).isnan()
PYTHON
