"""sparse_generic_lstsq against pseudo-inverses by LAPACK, differentiated by torch."""

import warnings

import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
SHAPES = {"tall": (9, 5), "wide": (5, 9), "square": (6, 6)}


def full_rank(kind, rows, columns, dtype=torch.float64):
    """Of full rank, well conditioned, with a random pattern around a full diagonal."""
    items = 3 if kind in matrices.BATCHES else None
    lead = () if items is None else (items,)
    stored = torch.rand(*lead, rows, columns) < 0.3
    if "batched csr" in kind:  # as many entries in every item
        stored[:] = stored[:1]
    stored.diagonal(dim1=-2, dim2=-1).fill_(True)
    indices = stored.nonzero().T.contiguous()
    values = torch.randn(indices.shape[1], dtype=dtype) / 2
    values[indices[-1] == indices[-2]] += 3
    A = torch.sparse_coo_tensor(indices, values, (*lead, rows, columns), is_coalesced=True)
    if kind.endswith("uncoalesced"):
        order = torch.randperm(2 * indices.shape[1]) % indices.shape[1]
        return torch.sparse_coo_tensor(indices[:, order], values[order] / 2, A.shape)
    if "csr" not in kind:
        return A
    index = torch.int32 if "32" in kind else torch.int64
    counts = stored.sum(-1)
    positions = torch.nn.functional.pad(counts.cumsum(-1), (1, 0)).to(index)
    columns_ = indices[-1].to(index).view(*lead, -1)
    return torch.sparse_csr_tensor(positions, columns_, values.view(*lead, -1), A.shape)


def reference(indices, values, shape, B, damp=0.0):
    """By the pseudo-inverse of [A; damp I], which autograd differentiates."""
    A = oracle.dense(indices, values, shape)
    if damp:
        eye = damp * torch.eye(shape[-1], dtype=A.dtype).expand(*shape[:-2], -1, -1)
        A = torch.cat([A, eye], -2)
        B = torch.cat([B, torch.zeros(*B.shape[:-2], shape[-1], B.shape[-1], dtype=B.dtype)], -2)
    return torch.linalg.pinv(A) @ B


def close(actual, expected, tolerance):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    scale = max(1.0, expected.abs().max().item()) if expected.numel() else 1.0
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance * scale)


def tight(dtype):
    return 2e-3 if dtype in (torch.float32, torch.complex64) else 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", matrices.ALL)
@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_values_and_gradients(method, kind, shape, dtype):
    needs = "B" if kind == "csr64" else "A" if kind == "coo" else "AB"
    A = full_rank(kind, *SHAPES[shape], dtype).requires_grad_("A" in needs)
    B = right_side(A).requires_grad_("B" in needs)
    indices = oracle.indices_of(A.detach())
    values = oracle.stored_values(A).requires_grad_("A" in needs)
    dense = B.detach().requires_grad_("B" in needs)
    X = tsgu.sparse_generic_lstsq(A, B, method)
    expected = reference(indices, values, A.shape, dense)
    close(X.detach(), expected.detach(), tight(dtype))
    weight = torch.randn_like(expected)
    X.backward(weight)
    expected.backward(weight)
    if "A" in needs:
        assert A.grad.layout == A.layout
        close(oracle.stored_values(A.grad), values.grad, 4 * tight(dtype))
    if "B" in needs:
        close(B.grad, dense.grad, 4 * tight(dtype))


@pytest.mark.parametrize("method,damp", [("lsmr", 0.0), ("lsmr", 0.8), ("qr", 0.0)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo"])
def test_second_derivatives(kind, shape, method, damp):
    A = full_rank(kind, *SHAPES[shape])
    indices = oracle.indices_of(A)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A).requires_grad_()

    def ours(v, b):
        options = {"damp": damp, "rtol": 1e-14, "on_fail": "ignore"}
        return tsgu.sparse_generic_lstsq(rebuild(A, v), b, method, **options) ** 2

    oracle.assert_same_derivatives(
        ours,
        lambda v, b: reference(indices, v, A.shape, b, damp) ** 2,
        (values, B),
        order=2,
        terms=1 << 18,
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_gradcheck_and_gradgradcheck(method, dtype, shape):
    A = full_rank("csr64", *(size // 2 + 1 for size in SHAPES[shape]), dtype)
    operands = A.values().clone().requires_grad_(), right_side(A).requires_grad_()

    def solve(values, B):
        options = {"rtol": 1e-13, "on_fail": "ignore"}
        return tsgu.sparse_generic_lstsq(rebuild(A, values), B, method, **options)

    assert torch.autograd.gradcheck(solve, operands, fast_mode=True)
    assert torch.autograd.gradgradcheck(solve, operands, fast_mode=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_right_hand_sides_of_one_dimension(shape):
    for kind in ("csr32", "ragged coo"):
        A = full_rank(kind, *SHAPES[shape]).requires_grad_()
        b = right_side(A, 1).squeeze(-1).requires_grad_()
        x = tsgu.sparse_generic_lstsq(A, b)
        assert x.shape == (*A.shape[:-2], A.shape[-1])
        X = tsgu.sparse_generic_lstsq(A, b.unsqueeze(-1))
        assert torch.equal(x, X.squeeze(-1))
        for left, right in zip(
            torch.autograd.grad(x.sum(), (A, b)), torch.autograd.grad(X.sum(), (A, b)), strict=True
        ):
            assert torch.equal(left.to_dense(), right.to_dense())


# ===-- Which solution ----------------------------------------------------------===#


def deficient(rows, columns, rank):
    A = torch.randn(rows, rank, dtype=torch.float64) @ torch.randn(rank, columns).double()
    return A.to_sparse_csr()


@pytest.mark.parametrize("rows,columns", [(9, 5), (5, 9), (6, 6)])
@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_rank_deficient_ones_take_the_least_norm_and_have_no_gradient(method, rows, columns):
    A = deficient(rows, columns, 3)
    B = torch.randn(rows, 2, dtype=torch.float64)
    expected = torch.linalg.pinv(A.to_dense(), rtol=1e-9) @ B
    X, info = tsgu.sparse_generic_lstsq(A, B, method, return_info=True)
    assert info.converged and info.method == method
    close(X, expected, 1e-6)
    for leaves in ((A.requires_grad_(),), (B.requires_grad_(),), (A, B)):
        for lstsq in (method, lapack_of_rank_3):
            X = tsgu.sparse_generic_lstsq(A, B, lstsq)
            with pytest.raises(tsgu.SingularMatrixError, match="rank"):
                torch.autograd.grad(X, leaves, torch.randn_like(X))


def lapack_of_rank_3(A, B):
    return torch.linalg.pinv(A.to_dense(), rtol=1e-9) @ B


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_full_rank_but_badly_conditioned(condition):
    q = torch.linalg.qr(torch.randn(40, 20, dtype=torch.float64))[0]
    p = torch.linalg.qr(torch.randn(20, 20, dtype=torch.float64))[0]
    sizes = condition ** -torch.linspace(0, 1, 20, dtype=torch.float64)
    A = ((q * sizes) @ p.T).to_sparse_csr()
    B = torch.randn(40, 2, dtype=torch.float64, requires_grad=True)
    X = tsgu.sparse_generic_lstsq(A, B, rtol=1e-13, maxiter=4000, on_fail="ignore")
    weight = torch.randn_like(X)
    (gradient,) = torch.autograd.grad(X, B, weight)
    expected = (q / sizes) @ (p.T @ weight)
    close(gradient, expected, 1e-9 * condition)


def test_damping_makes_up_for_rank():
    for rows, columns in ((9, 5), (5, 9)):
        A = deficient(rows, columns, 3).requires_grad_()
        B = torch.randn(rows, 2, dtype=torch.float64, requires_grad=True)
        X = tsgu.sparse_generic_lstsq(A, B, damp=0.3)
        values = A.detach().values().clone().requires_grad_()
        dense = B.detach().clone().requires_grad_()
        expected = reference(oracle.indices_of(A.detach()), values, A.shape, dense, 0.3)
        close(X.detach(), expected.detach(), 1e-6)
        weight = torch.randn_like(X)
        left = torch.autograd.grad(X, (A, B), weight)
        right = torch.autograd.grad(expected, (values, dense), weight)
        close(left[0].values(), right[0], 1e-5)
        close(left[1], right[1], 1e-5)


@pytest.mark.parametrize("damp", [0.0, 0.5])
def test_columns_of_very_different_norms(damp):
    A = full_rank("csr64", 20, 8)
    scale = torch.logspace(-6, 6, 8, dtype=torch.float64)
    values = A.values() * scale[A.col_indices()]
    A = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), values, A.shape)
    indices = oracle.indices_of(A)
    values = values.clone().requires_grad_()
    B = right_side(A).requires_grad_()
    X, info = tsgu.sparse_generic_lstsq(
        rebuild(A, values), B, damp=damp, scale_columns=True, rtol=1e-12, return_info=True
    )
    # Of full rank scaling changes nothing: in double the reference loses 12 digits of its own.
    dense = A.to_dense().detach()
    extended = torch.cat([dense, damp * torch.eye(8, dtype=torch.float64)])
    q, r = torch.linalg.qr(extended)
    expected = torch.linalg.solve_triangular(r, q[:20].mT @ B.detach(), upper=True)
    close(X.detach() * scale.unsqueeze(1), expected * scale.unsqueeze(1), 1e-8)
    (gradient,) = torch.autograd.grad(X, B, torch.ones_like(X))
    pulled = q[:20] @ torch.linalg.solve_triangular(r.mT, torch.ones_like(X).detach(), upper=False)
    torch.testing.assert_close(gradient, pulled, rtol=1e-5, atol=1e-5 * pulled.abs().max().item())
    assert info.converged and indices.shape[1] == values.numel()


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_scales_of_the_right_hand_side(method, size):
    A = full_rank("csr64", 9, 5)
    B = right_side(A)
    expected = torch.linalg.pinv(A.to_dense()) @ B
    X, info = tsgu.sparse_generic_lstsq(A, B * size, method, return_info=True)
    assert info.converged
    close(X / size, expected, 1e-6)
    X = tsgu.sparse_generic_lstsq(A, B * 0, method)
    assert torch.equal(X, torch.zeros_like(X))


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("shape", SHAPES)
def test_scales_of_the_cotangent(shape, size):
    A = full_rank("csr64", *SHAPES[shape]).requires_grad_()
    B = right_side(A).requires_grad_()
    X = tsgu.sparse_generic_lstsq(A, B)
    weight = torch.randn_like(X)
    one = torch.autograd.grad(X, (A, B), weight, retain_graph=True)
    other = torch.autograd.grad(X, (A, B), weight * size)
    close(other[0].values() / size, one[0].values(), 1e-5)
    close(other[1] / size, one[1], 1e-5)


# ===-- Callables ---------------------------------------------------------------===#


def lapack(A, B):
    return torch.linalg.pinv(A.to_dense()) @ B


def lapack_adjoint(A, G):
    return torch.linalg.pinv(A.to_dense().mH) @ G


@pytest.mark.parametrize(
    "callables", [(lapack, None), (lapack, lapack_adjoint), (None, lapack_adjoint)]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", SHAPES)
def test_callables(shape, dtype, callables):
    for kind in ("csr32", "uncoalesced", "ragged coo"):
        A = full_rank(kind, *SHAPES[shape], dtype)
        value, *gradients = oracle.with_gradients(
            lambda A, B: tsgu.sparse_generic_lstsq(A, B, *callables), reference, A, right_side(A)
        )
        close(*value, 1e-6)
        for pair in gradients:
            close(*pair, 1e-5)


def test_callables_that_fail():
    A, B = full_rank("csr64", 9, 5).requires_grad_(), torch.randn(9, 2).double()

    def broken(A, B):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        tsgu.sparse_generic_lstsq(A, B, broken)
    X = tsgu.sparse_generic_lstsq(A, B.clone().requires_grad_(), lapack, broken)
    with pytest.raises(ZeroDivisionError, match="mine"):
        X.sum().backward()
    with pytest.raises(ValueError, match=r"shape \(5, 2\), not \(9, 2\)"):
        tsgu.sparse_generic_lstsq(A, B, lambda A, B: B)
    for option in ({"damp": 0.1}, {"scale_columns": True}, {"rtol": 1e-3}, {"maxiter": 3}):
        with pytest.raises(TypeError, match=next(iter(option))):
            tsgu.sparse_generic_lstsq(A, B, lapack, **option)
    with pytest.raises(TypeError, match="lstsq must be"):
        tsgu.sparse_generic_lstsq(A, B, 3)
    with pytest.raises(ValueError, match="one of 'lsmr', 'qr' or a callable, not 'lu'"):
        tsgu.sparse_generic_lstsq(A, B, "lu")


# ===-- Outcomes and arguments ----------------------------------------------------===#


def test_what_does_not_converge():
    A, b = full_rank("csr64", 30, 20), torch.randn(30, dtype=torch.float64)
    with pytest.warns(tsgu.ConvergenceWarning, match="LSMR.*iteration limit.*residual.*Try"):
        tsgu.sparse_generic_lstsq(A, b, maxiter=2)
    with pytest.raises(tsgu.ConvergenceError):
        tsgu.sparse_generic_lstsq(A, b, maxiter=2, on_fail="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, info = tsgu.sparse_generic_lstsq(A, b, maxiter=2, on_fail="ignore", return_info=True)
    assert info.reasons == ("iteration limit",) and info.iterations.tolist() == [2]
    slope = torch.linalg.norm(A.to_dense().T @ (b - A.to_dense() @ x))
    torch.testing.assert_close(info.residuals[0], slope, rtol=1e-6, atol=0)
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN"):
        tsgu.sparse_generic_lstsq(A, b * torch.nan)


@pytest.mark.parametrize("rows,columns", [(0, 0), (1, 1), (3, 0), (0, 3), (4, 4)])
@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_small_and_empty(method, rows, columns):
    for layout in (torch.sparse_csr, torch.sparse_coo):
        A = (2 * torch.eye(rows, columns, dtype=torch.float64)).to_sparse(layout=layout)
        A.requires_grad_()
        for width in (0, 2):
            B = torch.ones(rows, width, dtype=torch.float64, requires_grad=True)
            X, info = tsgu.sparse_generic_lstsq(A, B, method, return_info=True)
            assert X.shape == (columns, width) and info.converged
            assert torch.equal(X, torch.full_like(X, 0.5) if rows else torch.zeros_like(X))
            gradients = torch.autograd.grad(X.sum(), (A, B))
            assert gradients[0]._nnz() == A._nnz() and gradients[1].shape == B.shape


@pytest.mark.parametrize("method", ["lsmr", "qr"])
def test_zeros(method):
    """Without an entry there is nothing to differentiate; stored zeros have no gradient."""
    A = torch.zeros(4, 3, dtype=torch.float64).to_sparse_csr().requires_grad_()
    B = torch.ones(4, 2, dtype=torch.float64)
    X = tsgu.sparse_generic_lstsq(A, B, method)
    assert torch.equal(X, torch.zeros_like(X))
    assert torch.autograd.grad(X.sum(), A)[0]._nnz() == 0
    A = (full_rank("csr64", 4, 3) * 0.0).requires_grad_()
    X = tsgu.sparse_generic_lstsq(A, B, method)
    assert torch.equal(X, torch.zeros_like(X))
    with pytest.raises(tsgu.SingularMatrixError, match="rank"):
        X.sum().backward()


def test_errors():
    A = full_rank("csr64", 5, 3)
    B = torch.ones(5, 2, dtype=torch.float64)
    for operands, error in (
        ((1, B), ValueError),
        ((A, 1), ValueError),
        ((A.to_dense(), B), TypeError),
        ((torch.ones(3).to_sparse(), B), ValueError),
        ((A, torch.ones(3, 2)), ValueError),
        ((A, torch.ones(5, 2, 2)), ValueError),
        ((A, B.to_sparse()), TypeError),
        ((A.to(torch.float16), B.half()), TypeError),
        ((A.to(torch.int64), B.long()), TypeError),
        ((A, B + 1j), TypeError),
        ((A.to("meta"), B.to("meta")), TypeError),
    ):
        with pytest.raises(error):
            tsgu.sparse_generic_lstsq(*operands)
    for options in ({"damp": -1.0}, {"damp": float("nan")}, {"rtol": 2.0}, {"maxiter": 0}):
        with pytest.raises(ValueError):
            tsgu.sparse_generic_lstsq(A, B, **options)
    with pytest.warns(UserWarning, match="dtype"):
        assert tsgu.sparse_generic_lstsq(A, B.float()).dtype == torch.float64
    X = tsgu.SparseGenericLstsq.apply(A, B)
    assert torch.equal(X, tsgu.sparse_generic_lstsq(A, B))
