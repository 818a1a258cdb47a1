#!/usr/bin/env bash
# SciPy 1.17.1: scipy.io.mmread ends a number at the D of a Fortran exponent, 1.5D+01, and drops the
# rest of it. Neither an error nor a warning: the matrix has other values. Files written by Fortran's
# D format have such numbers, and others read them.
#
# Seen: 1.5D+01 is read as 1.5, and 2.5d-3 as 2.5; with an E they are 15 and 0.0025.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PYTHON'
import io

import scipy
import scipy.io

text = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1.5D+01\n2 2 2.5d-3\n"
found = [scipy.io.mmread(io.BytesIO(t.encode())).data.tolist() for t in (text, text.replace("D+", "E+").replace("d-", "e-"))]
print(scipy.__version__, *found)
assert found[1] == [15.0, 0.0025]
assert found[0] == [1.5, 2.5], "the behaviour has changed"
PYTHON
