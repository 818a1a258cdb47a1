"""Every function takes every sparse layout of torch, and SciPy's arrays."""

import numpy
import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu


def dense_matrix(n=6, m=6, items=None, dtype=torch.float64):
    lead = () if items is None else (items,)
    A = torch.randn(*lead, n, m, dtype=dtype)
    pattern = matrices.blocks(n, m, items=items).to_dense() != 0
    A = torch.where(pattern, A, 0)
    if n == m:
        A = A + 4 * torch.eye(n, dtype=dtype)
    return A


# Of dense matrices, in which zeros of a block are stored entries.
TORCH = {
    "coo": lambda A: A.to_sparse_coo(),
    "csr": lambda A: A.to_sparse_csr(),
    "csc": lambda A: A.to_sparse_csc(),
    "transposed csr": lambda A: A.mT.contiguous().to_sparse_csr().mT,
    "bsr": lambda A: A.to_sparse_bsr((2, 3)),
    "bsc": lambda A: A.to_sparse_bsc((2, 2)),
    "mixed widths": lambda A: _mixed(A.to_sparse_csr()),
}
SCIPY = {
    format: lambda A, format=format: getattr(scipy.sparse, f"{format}_array")(A.numpy())
    for format in ("coo", "csr", "csc", "bsr", "dia", "lil", "dok")
} | {"csr_matrix": lambda A: scipy.sparse.csr_matrix(A.numpy())}
MATRIX = {
    "Matrix": lambda A: tsgu.Matrix.of(A.to_sparse_csr()),
    "Matrix of coo": lambda A: tsgu.Matrix.of(A.to_sparse_coo()),
    "turned Matrix of coo": lambda A: tsgu.Matrix.of(A.mT.contiguous().to_sparse_coo()).mT,
    "turned Matrix of bsr": lambda A: tsgu.Matrix.of(A.mT.contiguous().to_sparse_bsr((3, 2))).mT,
}
ALL = TORCH | {f"scipy {name}": make for name, make in SCIPY.items()} | MATRIX


def _mixed(A):
    return torch.sparse_csr_tensor(
        A.crow_indices().int(), A.col_indices(), A.values(), A.shape, check_invariants=False
    )


def solved(function, expected, *arguments, **options):
    oracle.assert_close(function(*arguments, **options).detach(), expected, terms=1 << 16)


@pytest.mark.parametrize("kind", ALL)
def test_functions_of_a_matrix(kind):
    dense = dense_matrix()
    A = ALL[kind](dense)
    B = torch.randn(6, 2, dtype=torch.float64)
    x = torch.linalg.solve(dense, B)
    solved(tsgu.sparse_mm, dense @ B, A, B)
    solved(tsgu.sparse_triangular_solve, torch.linalg.solve(dense.triu(), B), A, B)
    solved(tsgu.sparse_generic_solve, x, A, B, "gmres", rtol=1e-12)
    solved(tsgu.sparse_generic_solve, x, A, B, "bicgstab", preconditioner="ilu0", rtol=1e-12)
    solved(tsgu.sparse_generic_solve, x, A, B, lambda A, B: torch.linalg.solve(A.to_dense(), B))
    solved(tsgu.sparse_generic_lstsq, x, A, B, rtol=1e-12)
    for method in (tsgu.utils.gmres, tsgu.utils.cgs):
        solved(method, x, A, B, rtol=1e-12)
        solved(method, x, A, B, rtol=1e-12, preconditioner=ALL[kind](torch.eye(6).double()))
    solved(lambda *given: tsgu.utils.lsmr(*given, atol=1e-12, btol=1e-12)[0], x[:, 0], A, B[:, 0])
    spd = dense @ dense.mT
    A = ALL[kind](spd)
    x = torch.linalg.solve(spd, B)
    solved(tsgu.utils.linear_cg, x, A, B, tolerance=1e-12)
    settings = tsgu.utils.MINRESSettings(minres_tolerance=1e-12)
    solved(tsgu.utils.minres, x, A, B, settings=settings)
    # Bound products are the matrix, where they take no tensors, too.
    for product in (A.__matmul__, A.dot if kind.startswith("scipy") else A.matmul):
        solved(tsgu.utils.linear_cg, x, product, B, tolerance=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in ALL if "bs" not in kind])
def test_options_for_which_entries_are_looked_at(kind):
    """By coordinates, not by where they stand in a layout."""
    wide = torch.randn(3, 6, dtype=torch.float64) * torch.tensor([1.0, 10, 100, 1, 5, 3])
    b = torch.randn(3, dtype=torch.float64)
    scaled = wide / wide.norm(dim=0)
    expected = torch.linalg.lstsq(scaled, b.unsqueeze(1), driver="gelsd").solution.squeeze(1)
    solve = tsgu.sparse_generic_lstsq
    solved(solve, expected / wide.norm(dim=0), ALL[kind](wide), b, scale_columns=True, rtol=1e-13)
    A = torch.randn(4, 4, dtype=torch.complex128)
    A = A + A.mH
    B = torch.randn(4, 2, dtype=torch.complex128)
    x = torch.linalg.solve(A + 0.5 * torch.eye(4), B)
    settings = tsgu.utils.MINRESSettings(minres_tolerance=1e-13)
    shifts = {"shifts": torch.tensor([0.5]), "settings": settings}
    solved(tsgu.utils.minres, x, ALL[kind](A), B, **shifts)


@pytest.mark.parametrize("kind", ALL)
def test_values_and_patterns(kind):
    dense = dense_matrix(4, 6)
    A = ALL[kind](dense)
    pattern, values = tsgu.Pattern.of(A), tsgu.values(A)
    assert pattern.shape == (4, 6) and pattern.entries == values.numel()
    B = torch.randn(6, 2, dtype=torch.float64)
    product = tsgu.operator("spmm")(pattern, values.reshape(-1), B)
    oracle.assert_close(product, dense @ B)
    if isinstance(A, torch.Tensor) and kind not in ("coo", "mixed widths"):
        assert values.shape == A.values().shape


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in MATRIX])
def test_softmax(kind, dim):
    dense = dense_matrix(4, 6)
    A = ALL[kind](dense)
    result = tsgu.sparse_softmax(A, dim)
    given = A if isinstance(A, torch.Tensor) else tsgu._patterns.layouts.as_tensor(A)
    assert result.layout is given.layout
    indices = oracle.indices_of(result)
    assert torch.equal(indices, oracle.indices_of(given.coalesce() if kind == "coo" else given))
    values = oracle.dense(oracle.indices_of(given), oracle.stored_values(given), A.shape)
    expected = oracle.softmax(indices, values[tuple(indices)], A.shape, dim)
    oracle.assert_close(oracle.stored_values(result), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128])
@pytest.mark.parametrize("kind", matrices.OTHERS)
def test_products_of_batches_and_dtypes(kind, dtype):
    A = matrices.OTHERS[kind](4, 6, dtype)
    B = torch.randn(*A.shape[:-2], 6, 3, dtype=dtype).requires_grad_()
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    result = tsgu.sparse_mm(A, B)
    expected = oracle.spmm(indices, values, A.shape, B.detach())
    oracle.assert_close(result.detach(), expected)
    weight = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(result, B, weight)
    dense = oracle.dense(indices, values, A.shape)
    oracle.assert_close(gradient, dense.mH @ weight)


@pytest.mark.parametrize("kind", matrices.OTHERS)
def test_third_order_in_leaves(kind):
    """Gradients of a leaf in its layout, as torch.autograd.grad gives them."""
    A = matrices.OTHERS[kind](4, 6, torch.float64)
    indices, leaf = oracle.indices_of(A), A.detach().requires_grad_()
    flat = oracle.stored_values(A).requires_grad_()
    B = torch.randn(*A.shape[:-2], 6, 2, dtype=torch.float64)

    def ours():
        return (tsgu.sparse_mm(leaf, B) * tsgu.sparse_mm(tsgu.sparse_softmax(leaf, -1), B)).sum()

    def reference():
        softmax = oracle.dense(indices, oracle.softmax(indices, flat, A.shape, -1), A.shape)
        return ((oracle.dense(indices, flat, A.shape) @ B) * (softmax @ B)).sum()

    left, right = ours(), reference()
    for _ in range(3):
        oracle.assert_close(left.detach(), right.detach(), terms=1 << 12)
        (gradient,) = torch.autograd.grad(left, leaf, create_graph=True)
        (expected,) = torch.autograd.grad(right, flat, create_graph=True)
        assert gradient.layout is leaf.layout
        gradient = tsgu.values(gradient).reshape(-1)
        oracle.assert_close(gradient.detach(), expected.detach(), terms=1 << 12)
        left, right = (gradient**2).sum(), (expected**2).sum()


@pytest.mark.parametrize("kind", ["csc", "bsr", "bsc", "mixed widths"])
def test_gradients_of_solves(kind):
    dense = dense_matrix()
    A = TORCH[kind](dense).requires_grad_()
    indices = oracle.indices_of(A.detach())
    values = oracle.stored_values(A).requires_grad_()
    matrix = oracle.dense(indices, values, A.shape)
    B = torch.randn(6, 2, dtype=torch.float64)
    x = torch.linalg.solve(matrix, B)
    for actual, expected in [
        (tsgu.sparse_generic_solve(A, B, "gmres", rtol=1e-13), x),
        (tsgu.sparse_triangular_solve(A, B), torch.linalg.solve(matrix.triu(), B)),
        (tsgu.sparse_generic_lstsq(A, B, rtol=1e-13), x),
        (tsgu.utils.gmres(A, B, rtol=1e-13), x),
    ]:
        (left,) = torch.autograd.grad((actual**3).sum(), A)
        (right,) = torch.autograd.grad((expected**3).sum(), values, retain_graph=True)
        oracle.assert_close(oracle.stored_values(left), right, terms=1 << 14)


@pytest.mark.parametrize("turn", [torch.t, torch.adjoint, lambda A: A.mH, lambda A: A.mT])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("make", [torch.Tensor.to_sparse_csr, torch.Tensor.to_sparse_coo])
def test_turned_matrices(make, dtype, turn):
    """`A.t()`, `A.mH` and `torch.adjoint(A)` of leaves, with their gradients."""
    dense = dense_matrix(dtype=dtype)
    A = make(dense).requires_grad_()
    B = torch.randn(6, 2, dtype=dtype)
    values = oracle.stored_values(A).requires_grad_()
    reference = turn(oracle.dense(oracle.indices_of(A.detach()), values, A.shape))
    for actual, expected in [
        (tsgu.sparse_mm(turn(A), B), reference @ B),
        (tsgu.sparse_generic_solve(turn(A), B, rtol=1e-13), torch.linalg.solve(reference, B)),
        (
            tsgu.utils.lsmr(turn(A), B[:, 0], atol=1e-13, btol=1e-13)[0],
            torch.linalg.solve(reference, B[:, 0]),
        ),
    ]:
        A.grad = values.grad = None
        actual.abs().square().sum().backward()
        expected.abs().square().sum().backward(retain_graph=True)
        oracle.assert_close(actual.detach(), expected.detach(), terms=1 << 12)
        assert A.grad.layout is A.layout
        oracle.assert_close(
            oracle.stored_values(
                A.grad.coalesce() if A.grad.layout is torch.sparse_coo else A.grad
            ),
            values.grad,
            terms=1 << 14,
        )


def test_least_squares_with_an_adjoint_as_people_write_it():
    dense = torch.randn(7, 4, dtype=torch.float64)
    A = dense.to_sparse_csr().requires_grad_()
    b = torch.randn(7, dtype=torch.float64, requires_grad=True)
    tight = {"atol": 1e-13, "btol": 1e-13}
    x = tsgu.sparse_generic_lstsq(
        A,
        b,
        lambda A, B: tsgu.utils.lsmr(A, B, **tight)[0],
        lambda A, G: tsgu.utils.lsmr(torch.adjoint(A), G, **tight)[0],
    )
    x.square().sum().backward()
    matrix, right = dense.clone().requires_grad_(), b.detach().clone().requires_grad_()
    expected = torch.linalg.lstsq(matrix, right.unsqueeze(1), driver="gels").solution
    expected.square().sum().backward()
    oracle.assert_close(x.detach(), expected.detach().squeeze(1), terms=1 << 14)
    oracle.assert_close(b.grad, right.grad, terms=1 << 14)
    oracle.assert_close(A.grad.values(), matrix.grad.reshape(-1), terms=1 << 14)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "bsc", "coo"])
def test_callables_get_the_layout_of_the_matrix(kind):
    dense = dense_matrix()
    A = TORCH[kind](dense)
    seen = []

    def mine(A, B):
        seen.append(A.layout)
        return torch.linalg.solve(A.to_dense(), B)

    B = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    tsgu.sparse_generic_solve(A, B, mine).sum().backward()
    assert seen == [A.layout, A.layout]
    oracle.assert_close(B.grad, torch.linalg.solve(dense.mT, torch.ones_like(B)), terms=1 << 12)


@pytest.mark.parametrize("convert", [list, numpy.array, torch.tensor])
def test_index_arrays_and_lists(convert):
    A = tsgu.csr(convert([0, 1, 2]), convert([0, 1]), convert([2.0, 3.0]), (2, 2))
    assert A.to_dense().tolist() == [[2, 0], [0, 3]]
    indices = [[0, 1], [1, 0]]
    indices = indices if convert is list else convert(indices)
    A = tsgu.coo(indices, convert([2.0, 3.0]), [2, 2])
    assert A.to_dense().tolist() == [[0, 2], [3, 0]]
    assert tsgu.csr([0, 0], [], torch.zeros(0), (1, 2))._nnz() == 0
    pattern = tsgu.Pattern.csr(convert([0, 1, 2]), convert([0, 1]), 2)
    assert pattern.validate() == 0


@pytest.mark.parametrize("narrow", ["positions", "coordinates"])
def test_index_tensors_of_two_widths(narrow):
    A = matrices.csr(4, 5)
    positions, coordinates = A.crow_indices(), A.col_indices()
    if narrow == "positions":
        positions = positions.int()
    else:
        coordinates = coordinates.int()
    values = A.values().clone().requires_grad_()
    B = torch.randn(5, 2, dtype=torch.float64)
    mixed = tsgu.csr(positions, coordinates, values, A.shape)
    oracle.assert_close(tsgu.sparse_mm(mixed, B).detach(), A.to_dense() @ B)
    assert mixed.crow_indices().dtype is mixed.col_indices().dtype is torch.int64
    leaf = torch.sparse_csr_tensor(
        positions, coordinates, A.values(), A.shape, check_invariants=False
    ).requires_grad_()
    for _ in range(2):
        tsgu.sparse_mm(leaf, B).sum().backward()
    expected = 2 * (torch.ones(4, 2).double() @ B.mT)[tuple(oracle.indices_of(A))]
    oracle.assert_close(leaf.grad.values(), expected)


@pytest.mark.parametrize("shape", [3, None, "ab", 2.5])
def test_shapes_that_are_no_tuple(shape):
    with pytest.raises(TypeError, match="shape must be a tuple"):
        tsgu.csr([0, 1], [0], torch.ones(1), shape)
    with pytest.raises(TypeError, match="shape must be a tuple"):
        tsgu.coo([[0], [0]], torch.ones(1), shape)


def test_what_is_no_sparse_matrix():
    B = torch.ones(2, 2)
    for A in (torch.ones(2, 2), numpy.ones((2, 2)), None):
        with pytest.raises(TypeError):
            tsgu.Pattern.of(A)
        with pytest.raises((TypeError, ValueError)):
            tsgu.values(A)
    with pytest.raises(ValueError, match="A should be in either COO or CSR"):
        tsgu.sparse_mm(torch.ones(2, 2), B)
    with pytest.raises(ValueError, match="instances of torch.Tensor"):
        tsgu.sparse_mm(numpy.ones((2, 2)), B)
    with pytest.raises(ValueError, match="A must be a matrix"):
        tsgu.sparse_mm(scipy.sparse.coo_array(numpy.ones(2)), B)


def test_arrays_of_scipy_that_are_longer_than_their_positions():
    A = scipy.sparse.csr_array(
        (numpy.array([1.0, 2.0, 9.0]), numpy.array([0, 1, 0]), numpy.array([0, 1, 2])), shape=(2, 2)
    )
    assert tsgu.sparse_mm(A, torch.eye(2, dtype=torch.float64)).tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize("kind", ["csc32", "bsr", "bsc"])
def test_malformed_tensors_are_refused(kind):
    A = matrices.OTHERS[kind](4, 6, torch.float64)
    compressed, plain = tsgu._patterns.layouts.compressed_indices(A)
    backwards = compressed.clone()
    backwards[1] = 100
    outside = plain.clone()
    outside[0] = 77
    for arrays in ((backwards, plain), (compressed, outside), (compressed[:-1], plain)):
        bad = torch.sparse_compressed_tensor(
            *arrays, A.values(), A.shape, layout=A.layout, check_invariants=False
        )
        with pytest.raises(tsgu.PatternError):
            tsgu.sparse_mm(bad, torch.ones(6, 1, dtype=torch.float64))
        with pytest.raises(tsgu.PatternError):
            tsgu.sparse_softmax(bad, -1)
