"""The method "ldlt" on what is indefinite: saddle points, shifted grids, hollow and bad scales."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
import torch

import oracle
import tsgu

WIDE = [torch.float64, torch.complex128]
DTYPES = [torch.float32, torch.complex64, *WIDE]
warnings.filterwarnings("ignore", message=".*beta state.*")


def grid(m, shift):
    """The 5-point Laplacian less `shift`."""
    path = sp.diags_array([-np.ones(m - 1), 2 * np.ones(m), -np.ones(m - 1)], offsets=[-1, 0, 1])
    eye = sp.eye_array(m)
    return sp.kron(path, eye) + sp.kron(eye, path) - shift * sp.eye_array(m * m)


def saddle(n, rows, seed=0, stored=False):
    """[H B^H; B 0] with H indefinite, in some order; `stored`: zeros on its diagonal."""
    random = np.random.default_rng(seed)
    H = sp.random_array((n, n), density=3 / n, rng=random) * (1 + 1j)
    H = H + H.conj().T + sp.diags_array(4.0 * random.choice([-1, 1], n))
    B = sp.random_array((rows, n), density=3 / n, rng=random) + sp.eye_array(rows, n)
    A = sp.coo_array(sp.block_array([[H, B.conj().T], [B, None]]))
    if stored:
        places = np.arange(n, n + rows)
        coords = [np.append(place, places) for place in A.coords]
        A = sp.coo_array((np.append(A.data, np.zeros(rows)), coords), shape=A.shape)
    order = random.permutation(n + rows)
    return sp.coo_array((A.data, (order[A.coords[0]], order[A.coords[1]])), shape=A.shape)


def hollow(n, seed=0):
    """A path and more without a diagonal, n even."""
    random = np.random.default_rng(seed)
    A = sp.diags_array(np.ones(n - 1), offsets=1) + sp.random_array(
        (n, n), density=1 / n, rng=random
    )
    A = sp.csr_array(sp.triu(A, 1))
    return A + A.T


CASES = {
    "saddle": saddle(60, 25),
    "saddle, zeros stored": saddle(60, 25, 1, stored=True),
    "large saddle": saddle(600, 200, 2),
    "grid": grid(15, 2.7),
    "hollow": hollow(80),
    "apart": sp.block_diag([saddle(10, 4), grid(4, 1.1), [[-3.0]], hollow(6)]),
    "one": sp.coo_array([[-2.0]]),
    "pair": sp.coo_array([[0.0, 1e-3], [1e-3, 0.0]]),
}


def tensor(A, dtype=torch.float64):
    """A as COO, of a real dtype its real part: explicit zeros stay."""
    A = sp.coo_array(A)
    values = torch.from_numpy(A.data.astype(complex))
    values = values if dtype.is_complex else values.real
    indices = torch.from_numpy(np.stack(A.coords).astype(np.int64))
    made = torch.sparse_coo_tensor(indices, values.to(dtype), A.shape, check_invariants=True)
    return made.coalesce()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_beside_dense(case, dtype):
    A = tensor(CASES[case], dtype)
    wide = A.to_dense().to(torch.complex128)
    eps, condition = torch.finfo(dtype).eps, torch.linalg.cond(wide).item()
    B = torch.randn(len(A), 4, dtype=dtype)
    X, info = tsgu.sparse_generic_solve(A, B, "ldlt", return_info=True)
    X_wide = X.to(wide.dtype)
    terms = wide.abs() @ X_wide.abs() + B.abs()
    assert (wide @ X_wide - B).abs().max() <= 100 * eps * terms.max()
    _, D, _ = scipy.linalg.ldl(wide.numpy(), hermitian=True)
    negative = int((np.linalg.eigvalsh(D) < 0).sum())
    assert info.factors.inertia == (len(A) - negative, negative, 0)
    factors = tsgu.factorize(A, "ldlt")
    assert factors.method == "ldlt"
    sign, log = factors.slogdet()
    wanted_sign, wanted_log = np.linalg.slogdet(wide.numpy())
    unit = 100 * eps * condition
    assert abs(complex(sign) - wanted_sign) <= unit
    assert abs(log.item() - wanted_log) <= unit
    inverse = torch.linalg.inv(wide)
    on_pattern = inverse[tuple(A.indices())]
    found = tsgu.values(factors.selected_inverse())
    assert (found - on_pattern).abs().max() <= unit * inverse.abs().max()
    for transposed in (False, True):
        solve = factors.solve_transposed if transposed else factors.solve
        X, M = solve(B).to(wide.dtype), wide.mT if transposed else wide
        assert (M @ X - B).abs().max() <= 100 * eps * terms.max()


@pytest.mark.parametrize("case", ["saddle", "saddle, zeros stored", "grid"])
def test_bad_scales(case):
    A, random = CASES[case], np.random.default_rng(1)
    scales = 10.0 ** random.integers(-8, 9, A.shape[0])
    scaled = tensor(sp.diags_array(scales) @ A @ sp.diags_array(scales))
    plain, scales = tensor(A), torch.from_numpy(scales)
    b = torch.randn(len(scales), dtype=torch.float64)
    X, info = tsgu.sparse_generic_solve(scaled, b, "ldlt", return_info=True, on_fail="raise")
    assert (
        info.factors.inertia
        == tsgu.sparse_generic_solve(plain, b, "ldlt", return_info=True)[1].factors.inertia
    )
    log = torch.linalg.slogdet(plain.to_dense()).logabsdet + 2 * scales.log().sum()
    rounding = 100 * 2**-52 / info.factors.rcond  # of the matrix with scales of ours
    torch.testing.assert_close(
        tsgu.slogdet(scaled, "ldlt").logabsdet, log, rtol=rounding, atol=rounding
    )


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("case", [saddle(6, 3, 1, stored=True), saddle(5, 2, 3), grid(3, 2.7)])
def test_second_order(case, dtype):
    A = tensor(case, dtype)
    values, B = A.values().requires_grad_(), torch.randn(len(A), 2, dtype=dtype).requires_grad_()
    pattern, indices = tsgu.Pattern.of(A), A.indices()

    def ours(values, B):
        factors = tsgu.factorize(tsgu.Matrix(pattern, values), "ldlt")
        X = factors.solve(B)
        return (X * X.conj()).real.sum() + factors.slogdet().logabsdet

    def reference(values, B):
        dense = oracle.dense(indices, values, A.shape)
        X = torch.linalg.inv(dense) @ B
        return (X * X.conj()).real.sum() + torch.linalg.slogdet(dense).logabsdet

    oracle.assert_same_derivatives(ours, reference, (values, B), order=2, terms=1 << 16)


def test_gradients_by_differences():
    """Along Hermitian directions, which are those that keep the matrix what it is."""
    A = tensor(saddle(20, 8, 4))
    values = A.values().requires_grad_()
    pattern, b = tsgu.Pattern.of(A), torch.randn(len(A), dtype=torch.float64)
    direction = torch.sin(A.indices().sum(0).double()) * values.detach()

    def loss(values):
        factors = tsgu.factorize(tsgu.Matrix(pattern, values), "ldlt")
        return factors.solve(b).square().sum() + factors.slogdet().logabsdet

    (gradient,) = torch.autograd.grad(loss(values), values)
    step = 1e-6
    with torch.no_grad():
        ends = [loss(values + sign * step * direction) for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * step)
    torch.testing.assert_close(gradient @ direction, expected, rtol=1e-6, atol=1e-6)


def test_updates_and_one_triangle():
    A = tensor(saddle(30, 12, stored=True))
    b = torch.randn(len(A), dtype=torch.float64)
    factors = tsgu.factorize(A, "ldlt")
    x = factors.solve(b)
    oracle.assert_close(factors.update(-2 * A.values()).solve(b), -x / 2, terms=1 << 14)
    with pytest.raises(tsgu.SingularMatrixError, match="ldlt.*row"):
        factors.update(torch.zeros_like(A.values()))
    assert torch.equal(factors.solve(b), x)
    lower = tsgu.factorize(A.to_dense().tril().to_sparse_csr(), "ldlt", uplo="lower")
    oracle.assert_close(lower.solve(b), x, terms=1 << 14)


def test_no_rows():
    A = torch.zeros(0, 0, dtype=torch.float64).to_sparse_csr()
    assert tsgu.factorize(A, "ldlt").solve(torch.zeros(0, 3, dtype=torch.float64)).shape == (0, 3)
    assert tsgu.logdet(A, "ldlt") == 0


@pytest.mark.parametrize(
    "rows,error,words",
    [
        ([[1.0, 1.0], [1.0, 1.0]], tsgu.SingularMatrixError, "row 1"),
        ([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], tsgu.SingularMatrixError, "row"),
        ([[2.0, 0.0], [0.0, 0.0]], tsgu.SingularMatrixError, "row 1 has no entry other than 0"),
        ([[1.0, 2.0], [3.0, 1.0]], ValueError, r"not Hermitian: entry \(0, 1\) is \(2,0\)"),
        ([[1.0, float("nan")], [float("nan"), 1.0]], ValueError, "nan"),
        ([[1.0, 1j], [1j, 1.0]], ValueError, "not Hermitian"),
    ],
)
def test_refusals(rows, error, words):
    A = torch.tensor(rows, dtype=torch.complex128).to_sparse_csr()
    with pytest.raises(error, match=f"ldlt: .*{words}"):
        tsgu.factorize(A, "ldlt")
