"""The corpus of corrupt inputs. Run as a program, prints the outcome of every call as JSON."""

import json
import pathlib
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))

import torch  # noqa: E402

HUGE = {torch.int32: 2**31 - 1, torch.int64: 2**63 - 1}

CASES = {}


def case(name):
    def add(make):
        CASES[name] = make
        return make

    return add


def csr(positions, coordinates, shape=(3, 4), index=torch.int64):
    """A CSR tensor that nobody checked."""
    coordinates = torch.tensor(coordinates, dtype=index)
    return torch.sparse_csr_tensor(
        torch.tensor(positions, dtype=index),
        coordinates,
        torch.ones(coordinates.shape),
        shape,
        check_invariants=False,
    )


def coo(indices, shape=(3, 4), coalesced=False):
    indices = torch.tensor(indices)
    return torch.sparse_coo_tensor(
        indices,
        torch.ones(indices.shape[1]),
        shape,
        is_coalesced=coalesced,
        check_invariants=False,
    )


for _index in (torch.int32, torch.int64):
    _huge = HUGE[_index]
    _name = str(_index).removeprefix("torch.")
    for _what, _positions, _coordinates in [
        ("first position 1", [1, 1, 2, 3], [0, 1, 2]),
        ("first position negative", [-1, 1, 2, 3], [0, 1, 2]),
        ("positions decrease", [0, 2, 1, 3], [0, 1, 2]),
        ("positions negative", [0, -2, 1, 3], [0, 1, 2]),
        ("positions exceed the entries", [0, 1, 5, 3], [0, 1, 2]),
        ("last position too large", [0, 1, 2, 4], [0, 1, 2]),
        ("last position huge", [0, 1, 2, _huge], [0, 1, 2]),
        ("last position too small", [0, 1, 2, 2], [0, 1, 2]),
        ("a position in the middle is huge", [0, _huge, _huge, 3], [0, 1, 2]),
        ("positions most negative", [0, -_huge - 1, 0, 3], [0, 1, 2]),
        ("column negative", [0, 1, 2, 3], [0, -1, 2]),
        ("column most negative", [0, 1, 2, 3], [0, -_huge - 1, 2]),
        ("column too large", [0, 1, 2, 3], [0, 1, 4]),
        ("column huge", [0, 1, 2, 3], [0, _huge, 2]),
        ("too few positions", [0, 1, 3], [0, 1, 2]),
        ("too many positions", [0, 1, 2, 3, 3], [0, 1, 2]),
        ("one position", [0], []),
    ]:
        CASES[f"{_what}, {_name}"] = lambda p=_positions, c=_coordinates, i=_index: csr(
            p, c, index=i
        )

for _what, _positions, _coordinates in [
    ("second item's positions decrease", [[0, 1, 2], [0, 3, 2]], [[0, 1], [0, 1]]),
    ("second item's positions start at 1", [[0, 1, 2], [1, 1, 2]], [[0, 1], [0, 1]]),
    ("second item has too few entries", [[0, 1, 2], [0, 1, 1]], [[0, 1], [0, 1]]),
    ("second item's column too large", [[0, 1, 2], [0, 1, 2]], [[0, 1], [0, 3]]),
    ("second item's column negative", [[0, 1, 2], [0, 1, 2]], [[0, 1], [-1, 1]]),
    ("items have too few positions", [[0, 2], [0, 2]], [[0, 1], [0, 1]]),
]:
    CASES[f"batch: {_what}"] = lambda p=_positions, c=_coordinates: csr(p, c, (2, 2, 3))

for _what, _indices, _shape in [
    ("row negative", [[0, -1], [0, 1]], (3, 4)),
    ("row too large", [[0, 3], [0, 1]], (3, 4)),
    ("column negative", [[0, 1], [0, -5]], (3, 4)),
    ("column too large", [[0, 1], [0, 4]], (3, 4)),
    ("column huge", [[0, 1], [0, HUGE[torch.int64]]], (3, 4)),
    ("row most negative", [[0, -(2**63)], [0, 1]], (3, 4)),
    ("item too large", [[0, 2], [0, 1], [0, 1]], (2, 3, 4)),
    ("item negative", [[0, -1], [0, 1], [0, 1]], (2, 3, 4)),
    ("entries in a matrix without rows", [[0], [0]], (0, 4)),
    ("entries in a matrix without columns", [[0], [0]], (3, 0)),
]:
    CASES[f"COO: {_what}"] = lambda i=_indices, s=_shape: coo(i, s)
    CASES[f"COO flagged coalesced: {_what}"] = lambda i=_indices, s=_shape: coo(i, s, True)


def pattern(positions, coordinates, columns=4):
    import tsgu

    return tsgu.Pattern.csr(positions, coordinates, columns)


@case("values level: positions of floats")
def _():
    return pattern(torch.tensor([0.0, 1.0]), torch.tensor([0.0]))


@case("values level: positions int16")
def _():
    return pattern(torch.tensor([0, 1]).short(), torch.tensor([0]).short())


@case("values level: index types differ")
def _():
    return pattern(torch.tensor([0, 1]), torch.tensor([0]).int())


@case("values level: no positions")
def _():
    return pattern(torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64))


@case("values level: scalar positions")
def _():
    return pattern(torch.tensor([0, 1]), torch.tensor(0))


@case("values level: three-dimensional positions")
def _():
    import tsgu

    return tsgu.Pattern(torch.zeros(1, 1, 2).long(), torch.zeros(1, 1, 1).long(), 0, 1, 1, 4, False)


@case("values level: negative columns")
def _():
    return pattern(torch.tensor([0, 1]), torch.tensor([0]), -4)


@case("values level: columns of the items differ in number")
def _():
    return pattern(torch.tensor([[0, 1], [0, 1]]), torch.tensor([[0]]))


@case("values level: COO indices of one row")
def _():
    import tsgu

    return tsgu.Pattern.coo(torch.tensor([[0, 1]]), (3, 4))


@case("values level: COO indices one-dimensional")
def _():
    import tsgu

    return tsgu.Pattern.coo(torch.tensor([0, 1]), (3, 4))


@case("values level: COO of negative shape")
def _():
    import tsgu

    return tsgu.Pattern.coo(torch.tensor([[0], [1]]), (-3, 4))


@case("values level: no such form")
def _():
    import tsgu

    return tsgu.Pattern(torch.tensor([0, 1]), torch.tensor([0]), 17, -1, 1, 4, False)


def calls(A):
    """name -> a call that must be refused."""
    import tsgu

    if isinstance(A, tsgu.Pattern):
        spmm, softmax = tsgu.operator("spmm"), tsgu.operator("softmax")
        return {
            "spmm": lambda: spmm(A, torch.ones(1), torch.ones(4, 2)),
            "softmax": lambda: softmax(A, torch.ones(1)),
            "softmax of columns": lambda: softmax(A.transposed(), torch.ones(1)),
            "validate": A.validate,
            "canonical": A.canonical,
        }
    B = torch.ones(*A.shape[:-2], A.shape[-1], 2)
    return {
        "sparse_mm": lambda: tsgu.sparse_mm(A, B),
        "sparse_mm, gradient of B": lambda: tsgu.sparse_mm(A, B.clone().requires_grad_()),
        "sparse_mm, gradient of A": lambda: tsgu.sparse_mm(A.detach().requires_grad_(), B),
        "sparse_softmax of rows": lambda: tsgu.sparse_softmax(A, -1),
        "sparse_softmax of columns": lambda: tsgu.sparse_softmax(A, -2),
        "canonical": lambda: tsgu.Pattern.of(A).canonical(),
    }


def main():
    warnings.simplefilter("ignore")
    results = {}
    for name, make in CASES.items():
        results[name] = {}
        for call, function in calls(make()).items():
            try:
                function()
                results[name][call] = ("no error", "")
            except Exception as error:
                results[name][call] = (type(error).__name__, str(error))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
