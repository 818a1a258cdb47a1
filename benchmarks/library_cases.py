"""What library.py measures: for each function, how to call it in a library and its leaves."""

import importlib
import importlib.metadata
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

import tsgu
from matrices import rmat, stencil

_N, _NNZ, _P, _ITEMS = 1024, 4096, 64, 128
CASES = []


@dataclass(frozen=True)
class Case:
    """`make(library)` gives a call and the tensors whose gradients a step takes."""

    name: str
    make: Callable
    group: str = ""
    large: bool = False
    same: bool = True  # both libraries give the same numbers
    tolerance: float = 1e-3

    def __post_init__(self):
        CASES.append(self)


def load_library():
    """torchsparsegradutils with all its modules, and its version."""
    name = "torchsparsegradutils"
    for part in ("utils", "distributions", "encoders", "cupy", "jax", "sparse_logsumexp"):
        importlib.import_module(f"{name}.{part}")
    library = importlib.import_module(name)
    library.__version__ = importlib.metadata.version(name)
    return library


# ===-- Inputs ----------------------------------------------------------------===#


def _keys(count, size):
    """Distinct sorted places in a matrix."""
    keys = torch.randperm(size)[:count] if size < 1 << 22 else torch.randint(size, (count,))
    return keys.unique()


def _laid_out(indices, values, shape, layout):
    A = torch.sparse_coo_tensor(indices, values, shape).coalesce()
    if layout == "csr" and len(shape) == 2:
        A = A.to_sparse_csr()
    elif layout == "csr":
        items = [A[k].to_sparse_csr() for k in range(shape[0])]
        parts = [torch.stack([f(i) for i in items]) for f in (_positions, _columns, _values)]
        A = torch.sparse_csr_tensor(*parts, shape)
    return A.detach().requires_grad_()


def _positions(A):
    return A.crow_indices()


def _columns(A):
    return A.col_indices()


def _values(A):
    return A.values()


def _random(layout, items=None, n=_N, nnz=_NNZ):
    keys = [_keys(nnz, n * n) for _ in range(items or 1)]
    indices = torch.cat([torch.stack([k // n, k % n]) for k in keys], 1)
    if items:
        item = torch.arange(items).repeat_interleave(nnz)
        indices = torch.cat([item[None], indices])
    shape = (items, n, n) if items else (n, n)
    return _laid_out(indices, torch.randn(indices.shape[1]), shape, layout)


def _triangular(layout, items=None, n=_N, nnz=_NNZ):
    """Unit diagonal plus small entries below it."""
    lower = torch.arange(n * n).reshape(n, n).tril(-1)
    places = lower[torch.ones(n, n).tril(-1).bool()]
    parts = []
    for item in range(items or 1):
        keys = places[torch.randperm(len(places))[: nnz - n]]
        rows = torch.cat([torch.arange(n), keys // n])
        columns = torch.cat([torch.arange(n), keys % n])
        values = torch.cat([torch.ones(n), 0.1 * torch.randn(nnz - n)])
        lead = [torch.full_like(rows, item)] if items else []
        parts.append((torch.stack([*lead, rows, columns]), values))
    shape = (items, n, n) if items else (n, n)
    indices = torch.cat([part[0] for part in parts], 1)
    return _laid_out(indices, torch.cat([part[1] for part in parts]), shape, layout)


def _of_rows(counts, columns, shared=False):
    """Column indices in torch's own memory, as a user's matrix has, or `shared` with NumPy."""
    n = len(counts)
    counts = torch.as_tensor(counts)
    positions = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    columns = columns.astype("int64")
    columns = torch.from_numpy(columns) if shared else torch.tensor(columns)
    A = torch.sparse_csr_tensor(positions, columns, torch.randn(len(columns)), (n, n))
    return A.requires_grad_()


def _grid27(shared=False):
    offsets = list(itertools.product((-1, 0, 1), repeat=3))
    return _of_rows(*stencil((50, 50, 50), offsets), shared)


def _rmat():
    import numpy as np

    return _of_rows(*rmat(np.random.default_rng(0), scale=16))


def _definite(layout):
    """A shifted five-point grid of n points: symmetric positive definite, diagonally dominant."""
    side = int(_N**0.5)
    counts, columns = stencil((side, side), [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)])
    rows = torch.arange(_N).repeat_interleave(torch.as_tensor(counts))
    columns = torch.as_tensor(columns)
    values = torch.where(rows == columns, 5.0, -1.0)
    return _laid_out(torch.stack([rows, columns]), values, (_N, _N), layout)


def _dense(*shape):
    return torch.randn(shape, requires_grad=True)


# ===-- Products and solves ---------------------------------------------------===#


def _binary(function, matrix, dense, **keywords):
    def make(library):
        A, B = matrix(), dense()
        return lambda: getattr(library, function)(A, B, **keywords), (A, B)

    return make


for _layout in ("coo", "csr"):
    Case(
        f"sparse_mm {_layout}",
        _binary("sparse_mm", lambda k=_layout: _random(k), lambda: _dense(_N, _P)),
    )
    Case(
        f"sparse_mm {_layout}, batch",
        _binary("sparse_mm", lambda k=_layout: _random(k, _ITEMS), lambda: _dense(_ITEMS, _N, _P)),
    )
    Case(
        f"sparse_triangular_solve {_layout}",
        _binary(
            "sparse_triangular_solve",
            lambda k=_layout: _triangular(k),
            lambda: _dense(_N, _P),
            upper=False,
        ),
    )
    Case(
        f"sparse_triangular_solve {_layout}, batch",
        _binary(
            "sparse_triangular_solve",
            lambda k=_layout: _triangular(k, _ITEMS),
            lambda: _dense(_ITEMS, _N, _P),
            upper=False,
        ),
    )
Case("sparse_mm csr, cfd", _binary("sparse_mm", _grid27, lambda: _dense(50**3, _P)), large=True)


def _by(name):
    def make(library):
        A, B = _definite("csr"), _dense(_N, _P)
        solve = getattr(library.utils, name)
        return lambda: library.sparse_generic_solve(A, B, solve=solve), (A, B)

    return make


Case("sparse_generic_solve, linear_cg", _by("linear_cg"))
# Its bicgstab breaks down on one of the columns and does not say so.
Case("sparse_generic_solve, bicgstab", _by("bicgstab"), same=False)
Case("sparse_generic_solve, minres", _by("minres"))


def _tall(_=None):
    n = _N // 4
    keys = _keys(_NNZ, _N * n)
    rows = torch.cat([torch.arange(n), keys // n])
    columns = torch.cat([torch.arange(n), keys % n])
    values = torch.cat([torch.full((n,), 5.0), torch.randn(len(keys))])
    return _laid_out(torch.stack([rows, columns]), values, (_N, n), "csr")


Case("sparse_generic_lstsq", _binary("sparse_generic_lstsq", _tall, lambda: _dense(_N, 4)))

# ===-- Reductions and products by segments -----------------------------------===#


def _reduction(function, matrix, **keywords):
    def make(library):
        A = matrix()
        return lambda: getattr(library, function)(A, **keywords), (A,)

    return make


for _layout in ("coo", "csr"):
    for _dim in (0, 1):
        Case(
            f"sparse_logsumexp {_layout}, dim {_dim}",
            _reduction("sparse_logsumexp", lambda k=_layout: _random(k), dim=_dim),
        )
    Case(
        f"sparse_logsumexp {_layout}, batch, dim 2",
        _reduction("sparse_logsumexp", lambda k=_layout: _random(k, _ITEMS), dim=2),
    )
    Case(
        f"sparse_bidir_logsumexp {_layout}, padded",
        _reduction("sparse_bidir_logsumexp", lambda k=_layout: _random(k), output_layout="padded"),
    )
for _name, _matrix in (("cfd", _grid27), ("R-MAT 2^16", _rmat)):
    for _dim in (0, 1):
        Case(
            f"sparse_logsumexp csr, {_name}, dim {_dim}",
            _reduction("sparse_logsumexp", _matrix, dim=_dim),
            group="logsumexp, large",
            large=True,
        )
Case(
    "sparse_logsumexp csr, cfd, dim 0, NumPy's indices",
    _reduction("sparse_logsumexp", lambda: _grid27(shared=True), dim=0),
    large=True,
)


def _segments(library, lengths):
    a, b = _dense(int(lengths.sum()), _P), _dense(len(lengths), _P, _P)
    return lambda: library.segment_mm(a, b, lengths), (a, b)


def _gather(library, rows):
    a, b = _dense(rows, _P), _dense(_ITEMS, _P, _P)
    index = torch.randint(_ITEMS, (rows,))
    return lambda: library.gather_mm(a, b, index), (a, b)


def _even(length):
    return torch.full((_ITEMS,), length)


def _ragged(least, most):
    return torch.randint(least, most + 1, (_ITEMS,))


Case("segment_mm, 128 segments of 8", lambda library: _segments(library, _even(8)))
Case("segment_mm, 128 segments of 1 to 16", lambda library: _segments(library, _ragged(1, 16)))
Case("segment_mm, 128 segments of 0 to 64", lambda library: _segments(library, _ragged(0, 64)))
Case("segment_mm, 128 segments of 1,000", lambda library: _segments(library, _even(1000)))
Case("gather_mm, 1,024 rows", lambda library: _gather(library, _N))

# ===-- utils -----------------------------------------------------------------===#


def _helper(function, arguments):
    def make(library):
        given = arguments()
        return lambda: getattr(library.utils, function)(*given), ()

    return make


def _generator(function, *arguments, module="utils", **keywords):
    def make(library):
        home = importlib.import_module(f"{library.__name__}.{module}")
        return lambda: getattr(home, function)(*arguments, **keywords), ()

    return make


def _blocks(layout):
    return [_random(layout).detach() for _ in range(_ITEMS)]


def _joined(layout):
    blocks = _blocks(layout)
    return [tsgu.utils.sparse_block_diag(*blocks), *(A.shape for A in blocks)]


def _unsorted_indices():
    keys = torch.randperm(_N * _N)[:_NNZ]
    return torch.stack([keys // _N, keys % _N]), _N


for _layout in ("coo", "csr"):
    _torch_layout = getattr(torch, f"sparse_{_layout}")
    Case(
        f"sparse_block_diag of 128, {_layout}",
        _helper("sparse_block_diag", lambda k=_layout: _blocks(k)),
    )
    Case(
        f"sparse_block_diag_split into 128, {_layout}",
        _helper("sparse_block_diag_split", lambda k=_layout: _joined(k)),
        same=False,  # a tuple
    )
    Case(
        f"rand_sparse {_layout}",
        _generator("rand_sparse", (_N, _N), _NNZ, _torch_layout),
        same=False,
    )
    Case(
        f"rand_sparse_tri {_layout}",
        _generator("rand_sparse_tri", (_N, _N), _NNZ, _torch_layout),
        same=False,
    )
    Case(
        f"rand_sparse {_layout}, batch",
        _generator("rand_sparse", (_ITEMS, _N, _N), _NNZ, _torch_layout),
        same=False,
        large=True,
    )
    Case(f"sparse_eye {_layout}", _generator("sparse_eye", (_N, _N), layout=_torch_layout))
Case("stack_csr of 128", _helper("stack_csr", lambda: [_blocks("csr")]))
Case(
    "make_spd_sparse, 4,096 entries",
    _generator(
        "make_spd_sparse",
        *(_N, torch.sparse_csr, torch.float32, torch.int64, "cpu"),
        nz=_N * _N - _NNZ,
        module="utils.random_sparse",
    ),
    same=False,
)
Case("convert_coo_to_csr", _helper("convert_coo_to_csr", lambda: [_random("coo").detach()]))

# ===-- Distributions and encoders --------------------------------------------===#


def _sampled(form, diagonal, items=None):
    def make(library):
        L = _triangular("csr", items)
        loc = _dense(items, _N) if items else _dense(_N)
        keywords = {form: L}
        if diagonal:
            L = _strict(L)
            keywords = {form: L, "diagonal": torch.rand(loc.shape) + 0.5}
            keywords["diagonal"].requires_grad_()
        leaves = (loc, *keywords.values())
        normal = library.distributions.SparseMultivariateNormal

        def sample():
            torch.manual_seed(0)
            return normal(loc, **keywords).rsample((_P,))

        return sample, leaves

    return make


def _strict(L):
    L = L.detach().to_sparse_coo()
    below = L.indices()[-2] > L.indices()[-1]
    return _laid_out(L.indices()[:, below], L.values()[below], L.shape, "csr")


for _form in ("scale_tril", "precision_tril"):
    for _diagonal in (False, True):
        _title = f"rsample of 64, {_form.split('_')[0]}, {'LDL^T' if _diagonal else 'LL^T'}"
        Case(_title, _sampled(_form, _diagonal))


def _encoded(layout, shape, sampled):
    def make(library):
        encoder = library.encoders.PairwiseEncoder(
            radius=1, volume_shape=shape, diag=True, upper=False, layout=layout
        )
        values = 0.1 * torch.randn(len(encoder.offsets), *shape)
        values[0] = 1.0
        values.requires_grad_()
        if not sampled:
            return lambda: encoder(values), ()
        loc = torch.zeros(encoder.volume_numel)
        normal = library.distributions.SparseMultivariateNormal

        def sample():
            torch.manual_seed(0)
            return normal(loc, precision_tril=encoder(values)).rsample()

        return sample, (values,)

    return make


for _layout in (torch.sparse_coo, torch.sparse_csr):
    _name = str(_layout).split("_")[-1]
    Case(f"PairwiseEncoder {_name}, 32^3", _encoded(_layout, (1, 32, 32, 32), False), large=True)
    _shape = (1, 16, 16, 16)
    Case(f"encoder, precision, rsample {_name}, 16^3", _encoded(_layout, _shape, True), large=True)


# ===-- Bridges ---------------------------------------------------------------===#


def _bridge(module, function, layout, **keywords):
    def make(library):
        A, B = _definite(layout), _dense(_N)
        solve = getattr(importlib.import_module(f"{library.__name__}.{module}"), function)
        return lambda: solve(A, B, **keywords), (A, B)

    return make


Case("sparse_solve_c4t", _bridge("cupy", "sparse_solve_c4t", "csr"))
Case("sparse_solve_c4t, cg", _bridge("cupy", "sparse_solve_c4t", "csr", solve="cg"))
Case("sparse_solve_j4t", _bridge("jax", "sparse_solve_j4t", "csr"))
