"""Values of float16 and bfloat16: computed and summed in float32, rounded once."""

import pytest
import torch
from torch.testing import assert_close

import tsgu

DTYPES = (torch.bfloat16, torch.float16)
LAYOUTS = ("coo", "csr")


def random_matrix(dtype, layout="csr", n=37, m=29, seed=0, empty_rows=True):
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(n, m, generator=generator)
    dense[torch.rand(n, m, generator=generator) < 0.7] = 0
    if empty_rows:
        dense[[0, 7]] = 0
    dense = dense.to(dtype)
    return dense.to_sparse_csr() if layout == "csr" else dense.to_sparse()


def assert_rounded_once(result, exact, magnitude, terms):
    """Against sums in float64; `magnitude`: those of the terms' absolute values.

    float32 loses at most terms * 2^-24 of these, and one rounding half a unit of the last place.
    """
    info = torch.finfo(result.dtype)
    bound = exact.abs() * info.eps / 2 + magnitude * (terms + 2) * 2**-23 + info.smallest_normal
    error = (result.double() - exact).abs()
    assert bool((error <= bound).all()), float((error / bound).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("p", [1, 2, 7, 16, 32, 65, 300])
def test_product_and_its_gradients_round_once(dtype, layout, p):
    A = random_matrix(dtype, layout).requires_grad_()
    dense = A.detach().to_dense().double()
    B = torch.randn(29, p).to(dtype).requires_grad_()
    Y = tsgu.sparse_mm(A, B)
    G = torch.randn(37, p).to(dtype)
    gradient_a, gradient_b = torch.autograd.grad(Y, (A, B), G)
    assert Y.dtype == gradient_a.dtype == gradient_b.dtype == dtype
    assert gradient_a.layout == A.layout
    b, g = B.detach().double(), G.double()
    assert_rounded_once(Y, dense @ b, dense.abs() @ b.abs(), 29)
    assert_rounded_once(gradient_b, dense.T @ g, dense.T.abs() @ g.abs(), 37)
    stored = dense != 0
    sampled, magnitude = g @ b.T, g.abs() @ b.abs().T
    found = gradient_a.to_dense()
    assert bool((found[~stored] == 0).all())
    assert_rounded_once(found[stored], sampled[stored], magnitude[stored], p)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_sums_do_not_stall(dtype):
    """A sum in 16 bits would stop growing: 1 is less than half a unit at 256 (bfloat16)."""
    n = 4096
    A = torch.ones(1, n, dtype=dtype).to_sparse_csr()
    assert tsgu.sparse_mm(A, torch.ones(n, 1, dtype=dtype)).item() == n
    assert tsgu.sparse_mm(A, torch.ones(n, 32, dtype=dtype))[0, 5].item() == n
    B = torch.ones(n, 8, dtype=dtype, requires_grad=True)
    down = torch.ones(n, 1, dtype=dtype).to_sparse_csr()
    C = torch.ones(1, 8, dtype=dtype, requires_grad=True)
    gradient = torch.autograd.grad(tsgu.sparse_mm(down, C), C, torch.ones_like(B))[0]
    assert gradient.tolist() == [[n] * 8]


@pytest.mark.parametrize("dtype", DTYPES)
def test_duplicates_are_summed_in_float32(dtype):
    indices = torch.tensor([[0] * 1024, [1] * 1024])
    A = torch.sparse_coo_tensor(indices, torch.ones(1024, dtype=dtype), (2, 3)).requires_grad_()
    Y = tsgu.sparse_mm(A, torch.ones(3, 2, dtype=dtype))
    assert Y.tolist() == [[1024, 1024], [0, 0]]
    Y.sum().backward()
    assert A.grad._values().tolist() == [2] * 1024


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [0, 1])
def test_softmax_and_logsumexp(dtype, dim):
    A = random_matrix(dtype, empty_rows=False).requires_grad_()
    exact = A.detach().to_dense().double()
    masked = torch.where(exact != 0, exact, -torch.inf).requires_grad_()
    eps = torch.finfo(dtype).eps
    soft = tsgu.sparse_softmax(A, dim)
    reference = torch.softmax(masked, dim)
    assert soft.dtype == dtype
    assert_close(soft.to_dense().double(), reference, rtol=eps, atol=1e-6)
    weights = torch.randn(37, 29).to(dtype)
    values = tsgu.values(soft)
    stored = exact != 0
    (gradient,) = torch.autograd.grad(values, A, weights[stored])
    (expected,) = torch.autograd.grad((reference * weights.double()).sum(), masked)
    # The gradient is of the rounded softmax.
    assert_close(gradient.to_dense().double(), expected.nan_to_num(), rtol=0, atol=8 * eps)
    total = tsgu.sparse_logsumexp(A, dim, include_zeros=False)
    assert total.dtype == dtype
    assert_close(total.double(), torch.logsumexp(masked, dim), rtol=eps, atol=eps / 8)
    (gradient,) = torch.autograd.grad(total.sum(), A)
    assert_close(gradient.to_dense().double(), reference.detach(), rtol=eps, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_numbers(dtype):
    special = torch.tensor([float("inf"), -float("inf"), float("nan"), 0.0, 2**-130, 3.0])
    A = torch.eye(6, dtype=dtype).to_sparse_csr()
    B = special.to(dtype)[:, None]
    assert_close(tsgu.sparse_mm(A, B), B, rtol=0, atol=0, equal_nan=True)
    # The least f32 above the largest number that is finite after rounding.
    large = torch.full((6, 1), torch.finfo(dtype).max, dtype=dtype)
    assert bool(
        torch.isinf(tsgu.sparse_mm((2 * torch.eye(6)).to(dtype).to_sparse_csr(), large)).all()
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_order_batches_and_forward_mode(dtype):
    A, B = random_matrix(dtype), torch.randn(29, 4).to(dtype)
    eps = torch.finfo(dtype).eps
    positions, coordinates, values = A.crow_indices(), A.col_indices(), A.values()

    def loss(values, B):
        return (tsgu.sparse_mm(tsgu.csr(positions, coordinates, values, (37, 29)), B) ** 2).sum()

    def reference(values, B):
        rows = torch.arange(37).repeat_interleave(positions.diff())
        dense = torch.zeros(37, 29, dtype=values.dtype).index_put((rows, coordinates), values)
        return ((dense @ B) ** 2).sum()

    tangents = torch.randn_like(values), torch.randn_like(B)
    _, found = torch.func.jvp(loss, (values, B), tangents)
    double = [t.double() for t in (values, B, *tangents)]
    _, exact = torch.func.jvp(reference, tuple(double[:2]), tuple(double[2:]))
    assert abs(found.double() - exact) <= 16 * eps * abs(exact) + 64 * eps
    hessian = torch.func.hessian(lambda b: loss(values, b[:, None]))(B[:, 0])
    dense = A.to_dense().double()
    assert hessian.dtype == dtype
    assert_close(hessian.double(), 2 * dense.T @ dense, rtol=4 * eps, atol=8 * eps)
    many = torch.stack([B, 2 * B])
    each = torch.func.vmap(lambda b: tsgu.sparse_mm(A, b))(many)
    assert_close(each[1], tsgu.sparse_mm(A, 2 * B), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_solves_refuse_what_they_do_not_compute_in(dtype):
    A, b = torch.eye(4, dtype=dtype).to_sparse_csr(), torch.ones(4, 2, dtype=dtype)
    name = str(dtype).removeprefix("torch.")
    solves = (
        lambda: tsgu.sparse_generic_solve(A, b),
        lambda: tsgu.sparse_generic_solve(A, b, "lu"),
        lambda: tsgu.sparse_triangular_solve(A, b),
        lambda: tsgu.sparse_generic_lstsq(A, b),
        lambda: tsgu.utils.linear_cg(A, b),
    )
    for solve in solves:
        with pytest.raises(TypeError, match=f"{name}.*float32, float64, complex64 or complex128"):
            solve()


def test_mixed_dtypes_follow_the_matrix():
    A, B = random_matrix(torch.bfloat16), torch.randn(29, 3)
    with pytest.warns(UserWarning, match="bfloat16"):
        assert tsgu.sparse_mm(A, B).dtype == torch.bfloat16
