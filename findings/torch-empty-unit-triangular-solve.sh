#!/usr/bin/env bash
# torch 2.13.0: a triangular solve with a CSR matrix that stores no entry and
# unitriangular=True returns NaN. The matrix is the identity (its unit diagonal is implied, and
# must not be stored), so the solution is the right-hand side; one stored entry anywhere
# above the diagonal gives right results.
#
# Seen: [nan, nan] for no entries, [1, 1] for one entry, a zero.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

ones = torch.ones(2, 1)


def solve(positions, coordinates, values):
    A = torch.sparse_csr_tensor(
        torch.tensor(positions), torch.tensor(coordinates).long(), torch.tensor(values), (2, 2)
    )
    solution, _ = torch.triangular_solve(ones, A, upper=True, unitriangular=True)
    return solution.flatten()


empty, zero = solve([0, 0, 0], [], []), solve([0, 1, 1], [1], [0.0])
print(torch.__version__, empty, zero)
assert zero.tolist() == [1, 1]
assert empty.isnan().all(), "the behaviour has changed"
PYTHON
