"""The corpus of corrupt inputs. Run as a program, prints the outcome of every call as JSON."""

import functools
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
        for _shape in ((3, 4), (3, 3)):
            CASES[f"{_what}, {_name}, {_shape}"] = functools.partial(
                csr, _positions, _coordinates, _shape, _index
            )

for _what, _positions, _coordinates in [
    ("second item's positions decrease", [[0, 1, 2], [0, 3, 2]], [[0, 1], [0, 1]]),
    ("second item's positions start at 1", [[0, 1, 2], [1, 1, 2]], [[0, 1], [0, 1]]),
    ("second item has too few entries", [[0, 1, 2], [0, 1, 1]], [[0, 1], [0, 1]]),
    ("second item's column too large", [[0, 1, 2], [0, 1, 2]], [[0, 1], [0, 3]]),
    ("second item's column negative", [[0, 1, 2], [0, 1, 2]], [[0, 1], [-1, 1]]),
    ("items have too few positions", [[0, 2], [0, 2]], [[0, 1], [0, 1]]),
]:
    for _shape in ((2, 2, 3), (2, 2, 2)):
        CASES[f"batch: {_what}, {_shape}"] = functools.partial(
            csr, _positions, _coordinates, _shape
        )

for _what, _indices, _shape in [
    ("row negative", [[0, -1], [0, 1]], (3, 4)),
    ("row negative in a square", [[0, -1], [0, 1]], (3, 3)),
    ("row too large in a square", [[0, 3], [0, 1]], (3, 3)),
    ("column too large in a square", [[0, 1], [0, 3]], (3, 3)),
    ("column most negative in a square", [[0, 1], [0, -(2**63)]], (3, 3)),
    ("item too large in a batch of squares", [[0, 2], [0, 1], [0, 1]], (2, 3, 3)),
    ("column too large in a batch of squares", [[0, 1], [0, 1], [0, 3]], (2, 3, 3)),
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
    CASES[f"COO: {_what}"] = functools.partial(coo, _indices, _shape)
    CASES[f"COO flagged coalesced: {_what}"] = functools.partial(coo, _indices, _shape, True)


def pattern(positions, coordinates, columns=4):
    import tsgu

    return tsgu.Pattern.csr(positions, coordinates, columns)


@case("values level: positions of floats")
def _():
    return pattern(torch.tensor([0.0, 1.0]), torch.tensor([0.0]))


@case("values level: positions int16")
def _():
    return pattern(torch.tensor([0, 1]).short(), torch.tensor([0]).short())


@case("values level: index types differ, and one is none")
def _():
    return pattern(torch.tensor([0, 1]), torch.tensor([0]).short())


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


#: Public names whose functions take no tensor with positions, or none that is not checked yet.
WITHOUT_POSITIONS = {
    "Pattern.without_values",  # of no pattern that is not checked
    *("BreakdownError", "CallbackError", "CompileError", "ConvergenceError", "ConvergenceWarning"),
    *("DeviceError", "PatternError", "SingularMatrixError", "SolveInfo", "__version__", "utils"),
    *(
        "empty_cache",
        "explain",
        "plots.convergence",
        "plots.roofline",
        "install_as",
        "gather_mm",
        "segment_mm",
        "show_config",
        "solver",
        "load_program",
        "load_programs",
        "operator",
        "programs",
    ),
    *("utils.BICGSTABSettings", "utils.LinearCGSettings", "utils.MINRESSettings"),
    *("utils.CGInfo", "utils.sparse_eye", "utils.rand_sparse", "utils.rand_sparse_tri"),
    *("utils.cov_nagao_test", "utils.mean_hotelling_t2_test"),
    "utils.convert_coo_to_csr_indices_values",  # does not know how many columns there are
    *("jax.have_jax", "jax.t2j", "jax.j2t", "jax.j2t_coo", "jax.j2t_csr"),
    *("cupy.have_cupy", "cupy.c2t_coo", "cupy.c2t_csr", "cupy._get_array_modules"),
    *("cupy._torch_to_backend", "cupy._backend_to_torch"),
    "Pattern.reject",  # raises
    *("Pattern.csr", "Pattern.coo", "Pattern.of"),  # only hold what they are given
    *("Pattern.of_csr", "Pattern.with_indices"),
    *("Pattern.shape", "Pattern.entries", "Pattern.version", "Pattern.numbers"),
    *("Pattern.layout", "Pattern.blocks", "Pattern.may_repeat"),
    "values",  # those that torch stores
    *("Matrix.of", "Matrix.with_values", "Matrix.detach", "Matrix.to"),  # as Pattern
    *("Matrix.T", "Matrix.mT", "Matrix.mH", "Matrix.pattern", "Matrix.values", "Matrix.layout"),
    *("Matrix.shape", "Matrix.ndim", "Matrix.dim", "Matrix.size", "Matrix.dtype", "Matrix.device"),
    *("Matrix.requires_grad", "Matrix.is_complex"),
    "Matrix.read",  # files, see test_matrix_methods.py
    # The functions themselves.
    *("Matrix.sum", "Matrix.mean", "Matrix.amax", "Matrix.amin", "Matrix.softmax"),
    *("Matrix.log_softmax", "Matrix.logsumexp", "Matrix.solve", "Matrix.solve_triangular"),
    *("Matrix.lstsq", "Matrix.logdet", "Matrix.slogdet", "Matrix.selected_inverse"),
    "Matrix.factorize",
    "Operator.batch",
    *("Operator.depends_on", "Operator.is_independent", "Operator.cotangent", "Operator.tangent"),
    *("Operator.plan", "Operator.attach", "Operator.refused", "Operator.tangent_of"),
}


def calls_of_pattern(pattern):
    """name -> a call that must be refused: "function" or "function: how"."""
    import tsgu

    columns = pattern.shape[-1]
    count = pattern.coordinates.shape[-1] if pattern.coordinates.dim() else 1
    values, B = torch.ones(count), torch.ones(max(columns, 0), 2)
    spmm, softmax = tsgu.operator("spmm"), tsgu.operator("softmax")
    matrix = functools.partial(tsgu.Matrix, pattern, values)
    logsumexp = tsgu.operator("logsumexp_all")
    return {
        "Operator: spmm": lambda: spmm(pattern, values, B),
        "Operator: gradients of spmm": lambda: spmm(pattern, values.requires_grad_(), B),
        "Operator: softmax": lambda: softmax(pattern, values),
        "Operator: softmax of columns": lambda: softmax(pattern.transposed(), values),
        "Pattern.transposed": lambda: pattern.transposed().validate(),
        "Pattern.to": lambda: pattern.to("cpu").validate(),
        "Pattern.validate": pattern.validate,
        "Operator: logsumexp": lambda: logsumexp(pattern, values, torch.ones(())),
        "Pattern.canonical": pattern.canonical,
        "Pattern.row_counts": pattern.row_counts,
        "Pattern.entry_indices": pattern.entry_indices,
        "Matrix: on a pattern": lambda: matrix() @ B,
        "Matrix: to COO": lambda: matrix().mT.to_torch(torch.sparse_coo),
        "Matrix.to_dense": lambda: matrix().to_dense(),
    }


def calls_of_products(A):
    """The same for a tensor of any shape."""
    import tsgu

    B, left = torch.ones(*A.shape[:-2], A.shape[-1], 2), torch.ones(*A.shape[:-2], 2, A.shape[-2])
    nothing = torch.sparse_coo_tensor(torch.zeros(A.dim(), 0).long(), torch.zeros(0), A.shape)
    if A.layout is torch.sparse_coo:
        make = functools.partial(tsgu.coo, A._indices(), A._values(), A.shape)
    else:
        parts = A.crow_indices(), A.col_indices(), A.values()
        make = functools.partial(tsgu.csr, *parts, tuple(A.shape))
    return {
        A.layout is torch.sparse_coo and "coo" or "csr": make,
        "sparse_mm": lambda: tsgu.sparse_mm(A, B),
        "sparse_mm: gradient of B": lambda: tsgu.sparse_mm(A, B.clone().requires_grad_()),
        "sparse_mm: gradient of A": lambda: tsgu.sparse_mm(A.detach().requires_grad_(), B),
        "SparseMatMul": lambda: tsgu.SparseMatMul.apply(A, B),
        "sparse_softmax: of rows": lambda: tsgu.sparse_softmax(A, -1),
        "sparse_softmax: of columns": lambda: tsgu.sparse_softmax(A, -2),
        "utils.convert_coo_to_csr": lambda: tsgu.utils.convert_coo_to_csr(A),
        # What these do not see is still there in the result.
        "utils.stack_csr": lambda: read(tsgu.utils.stack_csr([A, A])),
        "utils.sparse_block_diag": lambda: read(tsgu.utils.sparse_block_diag(A, A)),
        "utils.sparse_block_diag_split": lambda: read(
            *tsgu.utils.sparse_block_diag_split(A, A.shape)
        ),
        "sparse_sum: of rows": lambda: tsgu.sparse_sum(A, -1),
        "sparse_mean: of columns": lambda: tsgu.sparse_mean(A, -2, include_zeros=False),
        "sparse_amax: of rows": lambda: tsgu.sparse_amax(A, -1),
        "sparse_amin: of columns": lambda: tsgu.sparse_amin(A, -2, include_zeros=False),
        "sparse_log_softmax: of rows": lambda: tsgu.sparse_log_softmax(A, -1),
        "einsum": lambda: tsgu.einsum("aij->a" if A.dim() == 3 else "ij->i", A),
        "sparse_mv": lambda: tsgu.sparse_mv(A, B[..., 0]),
        "spgemm": lambda: tsgu.spgemm(A, B.to_sparse()),
        "spgemm: from the left": lambda: tsgu.spgemm(left.to_sparse(), A),
        "spgemm: gradients": lambda: tsgu.spgemm(A.detach().requires_grad_(), B.to_sparse()),
        "sparse_add": lambda: tsgu.sparse_add(A, nothing),
        "sparse_add: from the left": lambda: tsgu.sparse_add(nothing, A),
        "sparse_mul": lambda: tsgu.sparse_mul(A, nothing),
        "sparse_mul: by a row": lambda: tsgu.sparse_mul(A, torch.ones(A.shape[-1])),
        "sparse_div": lambda: tsgu.sparse_div(A, torch.ones(A.shape)),
        "sddmm": lambda: tsgu.sddmm(A, torch.ones(*A.shape[:-1], 2), B),
        "sparse_logsumexp: of rows": lambda: tsgu.sparse_logsumexp(A, -1),
        "sparse_logsumexp: of columns": lambda: tsgu.sparse_logsumexp(A, -2),
        "sparse_logsumexp: of all, no zeros": lambda: tsgu.sparse_logsumexp(
            A, [-1, -2], include_zeros=False
        ),
        "sparse_bidir_logsumexp": lambda: tsgu.sparse_bidir_logsumexp(A, include_zeros=False),
        "Pattern.canonical: of a tensor": lambda: tsgu.Pattern.of(A).canonical(),
        "Pattern.entry_indices: of a tensor": lambda: tsgu.Pattern.of(A).entry_indices(),
    }


def calls_of_matrices(A):
    """The same as a tsgu.Matrix."""
    import tsgu

    M = functools.partial(tsgu.Matrix.of, A)
    B, left = torch.ones(*A.shape[:-2], A.shape[-1], 2), torch.ones(*A.shape[:-2], 2, A.shape[-2])
    other = torch.sparse_csr if A.layout is torch.sparse_coo else torch.sparse_coo
    calls = {
        "Matrix: product": lambda: M() @ B,
        "Matrix: gradients": lambda: M().with_values(M().values.clone().requires_grad_()) @ B,
        "Matrix: from the left": lambda: left @ M(),
        "Matrix: conjugate transpose": lambda: M().mH @ left.mT,
        "Matrix.matmul": lambda: torch.func.vmap(M().matmul)(B.unsqueeze(0)),
        "Matrix.to_torch": lambda: M().to_torch(other),
        "Matrix.to_torch: its transpose": lambda: read(M().mT.to_torch()),
        "sparse_softmax: of a Matrix": lambda: tsgu.sparse_softmax(M(), -1),
        "sparse_logsumexp: of a Matrix": lambda: tsgu.sparse_logsumexp(M(), -1),
        "plots.spy": lambda: tsgu.plots.spy(A),
        "utils.sparse_block_diag: of Matrices": lambda: read(
            tsgu.utils.sparse_block_diag(M(), M())
        ),
    }
    return calls | ({"Matrix.to_scipy": lambda: M().to_scipy()} if A.dim() == 2 else {})


def read(A):
    """Has a function read A."""
    import tsgu

    return tsgu.sparse_mm(A, torch.ones(*A.shape[:-2], A.shape[-1], 2))


def calls_of_distributions(A):
    """The same for a square matrix or a batch of them."""
    import tsgu
    from tsgu import distributions

    loc = torch.zeros(A.shape[:-1])
    normal, ones = distributions.SparseMultivariateNormal, torch.ones_like(loc)
    native = distributions.SparseMultivariateNormalNative
    return {
        "distributions.SparseMultivariateNormal": lambda: normal(loc, scale_tril=A),
        "distributions.SparseMultivariateNormal: unchecked": lambda: normal(
            loc, precision_tril=A, validate_args=False
        ),
        "distributions.SparseMultivariateNormal: beside D": lambda: normal(
            loc, ones, precision_tril=A, validate_args=False
        ),
        "distributions.SparseMultivariateNormalNative": lambda: native(loc, A),
        "distributions.SparseMultivariateNormal: covariance": lambda: normal(
            loc, covariance_matrix=A, validate_args=False
        ).log_prob(loc),
        "distributions.SparseMultivariateNormal: precision": lambda: normal(
            loc, precision_matrix=A
        ),
        "distributions.IntrinsicMultivariateNormal": lambda: (
            distributions.IntrinsicMultivariateNormal(A, loc.unsqueeze(-1) + 1)
        ),
        "distributions.posterior": lambda: distributions.posterior(
            normal(loc, precision_matrix=tsgu.Matrix.of(torch.eye(loc.shape[-1]).to_sparse_csr())),
            A,
            loc,
            1.0,
        ),
        "distributions.condition": lambda: distributions.condition(
            normal(loc, precision_matrix=A, validate_args=False), [0], torch.zeros(1)
        ),
        "distributions.log_evidence": lambda: distributions.log_evidence(
            normal(loc, precision_matrix=A, validate_args=False), A, loc, 1.0
        ),
        "distributions.ConstrainedMultivariateNormal": lambda: (
            distributions.ConstrainedMultivariateNormal(
                normal(loc, precision_matrix=A, validate_args=False), torch.ones(1, loc.shape[-1])
            ).mean
        ),
        "distributions.constraints: check": lambda: (
            distributions.constraints.sparse_lower_cholesky.check(A)
        ),
        "distributions.constraints: check of S": lambda: (
            distributions.constraints.sparse_positive_definite.check(A)
        ),
    }


PRECONDITIONERS = ("jacobi", "block_jacobi", "ssor", "ilu0", "ic0", "amg")


def calls_of_solves(A):
    """The same for a square matrix or a batch of them."""
    import tsgu

    B = torch.ones(*A.shape[:-1], 2)
    solve, lstsq, utils = tsgu.sparse_generic_solve, tsgu.sparse_generic_lstsq, tsgu.utils
    calls = {
        "sparse_triangular_solve": lambda: tsgu.sparse_triangular_solve(A, B),
        "sparse_triangular_solve: unit, lower, transposed": lambda: tsgu.sparse_triangular_solve(
            A, B, upper=False, unitriangular=True, transpose=True
        ),
        "SparseTriangularSolve": lambda: tsgu.SparseTriangularSolve.apply(A, B, True, False, False),
        "sparse_generic_solve": lambda: solve(A, B),
        "sparse_generic_solve: from a guess": lambda: solve(A, B, "cg", x0=torch.zeros_like(B)),
        "sparse_generic_solve: by a callable": lambda: solve(A, B, solve=lambda A, B: B),
        "SparseGenericSolve": lambda: tsgu.SparseGenericSolve.apply(A, B),
        "sparse_generic_lstsq": lambda: lstsq(A, B),
        "sparse_generic_lstsq: columns scaled": lambda: lstsq(A, B, scale_columns=True),
        "sparse_generic_lstsq: damped": lambda: lstsq(A, B, damp=0.5),
        "sparse_generic_lstsq: qr": lambda: lstsq(A, B, "qr"),
        "sparse_generic_lstsq: by a callable": lambda: lstsq(A, B, lstsq=lambda A, B: B),
        "SparseGenericLstsq": lambda: tsgu.SparseGenericLstsq.apply(A, B),
        "cupy.sparse_solve_c4t": lambda: tsgu.cupy.sparse_solve_c4t(A, B),
        "cupy.SparseSolveC4T": lambda: tsgu.cupy.SparseSolveC4T.apply(A, B),
        "jax.sparse_solve_j4t": lambda: tsgu.jax.sparse_solve_j4t(A, B),
        "jax.SparseSolveJ4T": lambda: tsgu.jax.SparseSolveJ4T.apply(A, B),
        "SparseSolve": lambda: tsgu.SparseSolve.apply(A, B),
        "SparseSolver": lambda: tsgu.SparseSolver.apply(A, B),
        "direct.solve": lambda: tsgu.direct.solve(A, B),
        "direct.Solve": lambda: tsgu.direct.Solve.apply(A, B),
        "logdet": lambda: tsgu.logdet(A),
        "logdet: lu": lambda: tsgu.logdet(A, "lu"),
        "slogdet": lambda: tsgu.slogdet(A),
        "selected_inverse": lambda: tsgu.selected_inverse(A),
        "selected_inverse: cholesky": lambda: tsgu.selected_inverse(A, "cholesky"),
        "factorize": lambda: tsgu.factorize(A),
        "factorize: ldlt": lambda: tsgu.factorize(A, "ldlt"),
        "factorize: qr": lambda: tsgu.factorize(A, "qr"),
        "Factorization": lambda: tsgu.Factorization(A, "lu"),
    }
    calls |= calls_of_distributions(A)
    for method in ("cg", "bicgstab", "minres", "gmres", "cgs", "lu", "cholesky", "ldlt"):
        calls[f"sparse_generic_solve: {method}"] = lambda m=method: solve(A, B, m)
    for name in PRECONDITIONERS:
        calls[f"sparse_generic_solve: {name}"] = lambda p=name: solve(A, B, "cg", preconditioner=p)
    if A.dim() > 2:
        return calls
    b = B[:, 0]
    calls |= {
        "utils.lsmr": lambda: utils.lsmr(A, b),
        "utils.lsmr: from a guess": lambda: utils.lsmr(A, b, x0=torch.zeros_like(b)),
        "utils.minres: shifts": lambda: utils.minres(A, B, shifts=torch.tensor([1.0, 2.0])),
        "utils.minres: value": lambda: utils.minres(A, B, value=3.0),
        "utils.minres: shift, value and preconditioner": lambda: utils.minres(
            A, B, shifts=torch.tensor([1.0]), value=2.0, preconditioner=lambda v: v
        ),
        "utils.linear_cg: tridiagonal": lambda: utils.linear_cg(A, B, n_tridiag=1),
    }
    dense = torch.eye(A.shape[-1])
    for name in ("linear_cg", "bicgstab", "minres", "gmres", "cgs"):
        method = getattr(utils, name)
        calls[f"utils.{name}"] = lambda f=method: f(A, B)
        calls[f"utils.{name}: a column"] = lambda f=method: f(A, b)
        if name != "bicgstab":
            calls[f"utils.{name}: preconditioner"] = lambda f=method: f(dense, B, preconditioner=A)
        calls[f"utils.{name}: by its product"] = lambda f=method: f(A.matmul, B)
    return calls


def calls_of_bridges(A):
    """The same for a matrix."""
    import tsgu

    if A.layout is torch.sparse_coo:
        return {
            "jax.t2j_coo": lambda: tsgu.jax.t2j_coo(A),
            "cupy.t2c_coo": lambda: tsgu.cupy.t2c_coo(A),
        }
    return {
        "cupy.t2c_csr": lambda: tsgu.cupy.t2c_csr(A),
        "jax.t2j_csr": lambda: tsgu.jax.t2j_csr(A),
        "jax.spmm_t4j": lambda: tsgu.jax.spmm_t4j(A),
    }


def calls(A):
    if not isinstance(A, torch.Tensor):
        return calls_of_pattern(A)
    found = calls_of_products(A) | calls_of_matrices(A)
    if A.dim() == 2:
        found |= calls_of_bridges(A)
    if A.shape[-1] == A.shape[-2]:
        found |= calls_of_solves(A)
    return found


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
