"""Functions as methods of tsgu.Matrix, dense matrices of it, and files of the Matrix Market."""

import gzip

import pytest
import torch

import matrices
import oracle
import tsgu

KINDS = {**matrices.ALL, **matrices.OTHERS}


def matrix(kind="csr", n=5, m=5):
    return tsgu.Matrix.of(KINDS[kind](n, m, torch.float64))


def spd():
    dense = torch.eye(4, dtype=torch.float64) * 4 + torch.diag(torch.ones(3), 1) * 1.0
    return tsgu.Matrix.of((dense + dense.T).to_sparse_csr())


# ===-- Methods --------------------------------------------------------------------===#


def test_methods_are_the_functions():
    A = spd()
    for name in ("sum", "mean", "amax", "amin", "logsumexp"):
        expected = getattr(tsgu, f"sparse_{name}")(A, -1, keepdim=True)
        assert torch.equal(getattr(A, name)(-1, keepdim=True), expected)
    dense = A.to_torch().to_dense().masked_fill(A.to_torch().to_dense() == 0, -torch.inf)
    for name in ("softmax", "log_softmax"):
        found = getattr(A, name)(-1)
        expected = getattr(dense, name)(-1)[tuple(A.pattern.entry_indices())]
        torch.testing.assert_close(found.values, expected)
    b = torch.randn(4, dtype=torch.float64)
    expected = torch.linalg.solve(A.to_dense(), b)
    torch.testing.assert_close(A.solve(b, "cholesky"), expected)
    for method in ("cg", "lu", None, lambda A, B: torch.linalg.solve(A.to_dense(), B)):
        torch.testing.assert_close(A.solve(b, method=method), expected)
    with pytest.raises(TypeError, match="unexpected keyword argument 'methods'"):
        A.solve(b, methods="cg")
    torch.testing.assert_close(A.lstsq(b, damp=0.0), expected, rtol=1e-6, atol=1e-8)
    upper = torch.linalg.solve_triangular(A.to_dense().triu(), b[:, None], upper=True)
    torch.testing.assert_close(A.solve_triangular(b[:, None], upper=True), upper)


@pytest.mark.parametrize("kind", KINDS)
def test_dense(kind):
    A = matrix(kind, 4, 6)
    values = A.values.clone().requires_grad_()
    to_dense = lambda v: A.with_values(v).to_dense()  # noqa: E731
    expected = oracle.dense(A.pattern.entry_indices(), A.values, tuple(A.shape))
    torch.testing.assert_close(to_dense(values), expected)
    G = torch.randn_like(expected)
    (found,) = torch.autograd.grad(to_dense(values), values, G)
    torch.testing.assert_close(found, G[tuple(A.pattern.entry_indices())])
    cube = lambda v: to_dense(v) ** 3  # noqa: E731
    assert torch.autograd.gradgradcheck(cube, (values,))
    torch._dynamo.reset()  # one function, many patterns: there is a limit
    compiled = torch.compile(lambda A: A.to_dense(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(A), expected)
    twice = torch.stack([A.values, 2 * A.values])
    if A.ndim == 2:
        both = torch.stack([expected, 2 * expected])
        torch.testing.assert_close(A.with_values(twice).to_dense(), both)
    torch.testing.assert_close(torch.func.vmap(to_dense)(twice)[1], 2 * expected)


# ===-- Files --------------------------------------------------------------------------===#


def read(folder, kind, text, compress=False, **options):
    path = folder / ("A.mtx.gz" if compress else "A.mtx")
    text = f"%%MatrixMarket matrix {kind}\n{text}".encode()
    path.write_bytes(gzip.compress(text) if compress else text)
    return tsgu.Matrix.read(path, **options)


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (
            "coordinate real general",
            "% a word\n2 3 2\n1 2 -1.5\n2 3 4e2\n",
            [[0, -1.5, 0], [0, 0, 400]],
        ),
        ("coordinate real general", "2 2 2\n1 1 1.5D+01\n2 1 2.5d-1\n", [[15, 0], [0.25, 0]]),
        ("coordinate real symmetric", "2 2 2\n1 1 1\n2 1 7\n", [[1, 7], [7, 0]]),
        ("coordinate real skew-symmetric", "2 2 1\n2 1 3\n", [[0, -3], [3, 0]]),
        ("coordinate complex hermitian", "2 2 2\n1 1 1 0\n2 1 3 4\n", [[1, 3 - 4j], [3 + 4j, 0]]),
        ("coordinate pattern symmetric", "2 2 2\n1 1\n2 1\n", [[1, 1], [1, 0]]),
        ("coordinate integer general", "1 2 1\n1 2 3\n", [[0, 3]]),
        ("coordinate real general", "2 2 3\n1 1 1\n1 1 2\n2 2 5\n", [[3, 0], [0, 5]]),
        ("coordinate real general", "2 2 0\n", [[0, 0], [0, 0]]),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_read(tmp_path, kind, text, expected, compress):
    A = read(tmp_path, kind, text, compress)
    dtype = torch.complex128 if "complex" in kind else torch.float64
    assert A.layout is torch.sparse_csr and A.dtype is dtype
    assert torch.equal(A.to_dense(), torch.tensor(expected, dtype=dtype))
    single = read(tmp_path, kind, text, dtype=torch.complex64)
    assert torch.equal(single.to_dense(), torch.tensor(expected, dtype=torch.complex64))


@pytest.mark.parametrize(
    "kind, text, told",
    [
        ("coordinate real general", "2 2 1\n1 1 1.5+100\n", "line 3: .* exponent without a letter"),
        ("coordinate real general", "2 2 1\n3 1 1\n", "Row index out of bounds"),
        ("coordinate real general", "2 2 2\n1 1 1\n", "Truncated"),
        ("coordinate real general", "2 2 1\n1 1 one\n", "A.mtx"),
        ("array real general", "1 1\n1\n", "dense matrix"),
        ("coordinate", "1 1 1\n1 1 1\n", "A.mtx"),
    ],
)
def test_malformed_files(tmp_path, kind, text, told):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, kind, text)


def test_other_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        tsgu.Matrix.read(tmp_path / "none.mtx")
    (tmp_path / "other").write_text("1 2 3\n")
    with pytest.raises(ValueError, match="no Matrix Market file"):
        tsgu.Matrix.read(tmp_path / "other")
