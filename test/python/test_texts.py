"""What errors and warnings of solves and products say: which argument, and what to write."""

import re

import pytest
import torch

import matrices
import tsgu
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, lsmr, minres

DOUBLE, SINGLE = torch.float64, torch.float32


def system(dtype=DOUBLE, n=6):
    A = torch.randn(n, n, dtype=dtype) / n + 2 * torch.eye(n, dtype=dtype)
    return (A + A.T).to_sparse_csr(), torch.randn(n, 2, dtype=dtype)


# ===-- Keywords -------------------------------------------------------------------===#

UNKNOWN = [
    (tsgu.sparse_generic_solve, (), {"tol": 1e-3}, ["rtol", "atol"]),
    (tsgu.sparse_generic_solve, (), {"max_iter": 3}, ["maxiter"]),
    (tsgu.sparse_generic_solve, (), {"method": "cg"}, ["solve", "preconditioner"]),
    (tsgu.sparse_generic_solve, ("cg",), {"tol": 1e-3}, ["rtol"]),
    (tsgu.sparse_generic_solve, ("cg",), {"at_most": 1e-3}, ["atol"]),
    (tsgu.sparse_generic_solve, (linear_cg,), {"tol": 1e-3}, ["tolerance", "rtol"]),
    (tsgu.sparse_generic_solve, (bicgstab,), {"setting": 1}, ["settings"]),
    (tsgu.sparse_generic_lstsq, (), {"tol": 1e-3}, ["rtol", "atol"]),
    (linear_cg, (), {"maxiter": 3}, ["max_iter"]),
    (minres, (), {"shift": 3}, ["shifts"]),
    (bicgstab, (), {"x0": 3}, ["initial_guess"]),
    (gmres, (), {"tol": 3}, ["rtol"]),
    (cgs, (), {"max_iters": 3}, ["max_iter"]),
    (lsmr, (), {"max_iter": 3}, ["maxiter"]),
]


@pytest.mark.parametrize("function,arguments,keywords,near", UNKNOWN)
def test_unknown_keywords(function, arguments, keywords, near):
    A, B = system()
    (name,) = keywords
    with pytest.raises(TypeError) as caught:
        function(A, B, *arguments, **keywords)
    text = str(caught.value)
    start = f"{function.__name__}() got an unexpected keyword argument '{name}': it takes "
    assert text.startswith(start)
    assert set(near) <= set(text.removeprefix(start).split(", "))


# ===-- Dtypes ---------------------------------------------------------------------===#


def functions():
    """name -> (function of A and B, the name of B)."""
    solves = {function.__name__: function for function in (linear_cg, minres, bicgstab, gmres, cgs)}
    cases = {name: (solve, "rhs") for name, solve in solves.items()}
    cases["lsmr"] = (lambda A, b: lsmr(A, b[:, 0])[0], "b")
    for function in (tsgu.sparse_mm, tsgu.sparse_generic_solve, tsgu.sparse_generic_lstsq):
        cases[function.__name__] = (function, "B")
    for name in ("cg", "minres"):
        cases[name] = (lambda A, B, name=name: tsgu.sparse_generic_solve(A, B, name), "B")
    cases["sparse_triangular_solve"] = (tsgu.sparse_triangular_solve, "B")
    cases["dense"] = (lambda A, B: gmres(A.to_dense(), B), "rhs")
    return cases


@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo])
@pytest.mark.parametrize("name", functions())
def test_one_rule_for_dtypes_that_differ(name, layout):
    function, of_B = functions()[name]
    for dtype, other in ((SINGLE, DOUBLE), (DOUBLE, SINGLE), (torch.complex64, SINGLE)):
        A, B = system(DOUBLE)
        A, B = A.to_dense().to(dtype).to_sparse(layout=layout), B.to(other)
        expected = function(A, B.to(dtype))
        text = f"^A has dtype {dtype} and {of_B} {other}, which is converted to A's: write "
        for requires in (False, True):
            A = A.detach().requires_grad_(requires)
            with pytest.warns(UserWarning, match=text) as caught:
                X = function(A, B)
            assert [w.filename for w in caught if text[1:20] in str(w.message)] == [__file__]
            assert X.dtype == dtype and torch.equal(X.detach(), expected)
            assert f"{of_B}.to({dtype})" in str(caught[0].message)
    with pytest.raises(TypeError, match=rf"write A.to\({torch.complex64}\)"):
        A, B = system(SINGLE)
        function(A.to_dense().to_sparse(layout=layout), B.to(torch.complex64))


def test_operators_name_their_operands():
    A, B = system(SINGLE)
    pattern = tsgu.Pattern.of(A)
    spmm, solve = tsgu.operator("spmm"), tsgu.operator("solve")
    handle = tsgu.solver("gmres")
    cases = [
        (lambda: spmm(pattern, A.values(), B.double()), "spmm .* B has torch.float64 where A has"),
        (lambda: spmm(pattern, A.values(), B.double()), r"write B.to\(torch.float32\)"),
        (lambda: spmm(pattern, A.values(), B.cfloat()), r"write A.to\(torch.complex64\)"),
        (
            lambda: spmm(pattern, A.values().to(torch.int16), B.to(torch.int16)),
            "operand A has an unsupported dtype: values are float32",
        ),
        (lambda: solve(pattern, handle, A.values(), B.double()), "solve .* B has torch.float64"),
        (
            lambda: solve(pattern, handle, A.values().half(), B.half()),
            r"operand A is float16, and solves compute in .*\.to\(torch.float32\)",
        ),
        (lambda: solve(pattern, handle.int(), A.values(), B), "operand solver must be a solver"),
    ]
    for call, text in cases:
        with pytest.raises(TypeError, match=text):
            call()
    indices = torch.tensor([[0, 0], [1, 1]])
    twice = tsgu.Pattern.coo(indices, (6, 6))
    with pytest.raises(ValueError, match="operand A must have one value for each of the 2 entries"):
        spmm(twice, torch.ones(3), B)


# ===-- Guesses, ranks, symmetry ---------------------------------------------------===#


def test_guesses_of_another_shape():
    A, B = system()
    for shape in ((3,), (6,), (6, 1), (1, 6, 2), ()):
        text = re.escape(f"x0 must have the shape of X, (6, 2), and has {shape}")
        with pytest.raises(ValueError, match=text):
            tsgu.sparse_generic_solve(A, B, "cg", x0=torch.ones(shape).double())
        if shape not in ((6,), (6, 1)):
            text = re.escape(f"x0 must have the shape of X, (6,), and has {shape}")
            with pytest.raises(ValueError, match=text):
                tsgu.sparse_generic_solve(A, B[:, 0], "cg", x0=torch.ones(shape).double())
            with pytest.raises(ValueError, match=text):
                lsmr(A, B[:, 0], x0=torch.ones(shape).double())
            with pytest.raises(ValueError, match=text):
                lsmr(A.matmul, B[:, 0], A.matmul, 6, x0=torch.ones(shape).double())
    for x0 in (torch.ones(6).double(), torch.ones(6, 1).double()):
        X = tsgu.sparse_generic_solve(A, B[:, 0], "cg", x0=x0)
        torch.testing.assert_close(A @ X, B[:, 0], rtol=1e-6, atol=1e-6)
    for x0 in (3, [1.0], "zero"):
        with pytest.raises(TypeError, match="x0 must be a torch.Tensor, not"):
            tsgu.sparse_generic_solve(A, B, "cg", x0=x0)
        with pytest.raises(TypeError, match="x0 must be a torch.Tensor, not"):
            lsmr(A, B[:, 0], x0=x0)


def test_closures_that_give_no_vector():
    b = torch.ones(3, dtype=DOUBLE)

    def nothing(v):
        return None

    def short(v):
        return v[:2]

    for function in (linear_cg, minres, bicgstab, gmres, cgs):
        with pytest.raises(TypeError, match="^the closure must return a tensor, not NoneType"):
            function(nothing, b)
    for A, adjoint, name in (
        (nothing, torch.clone, "the closure"),
        (torch.clone, nothing, r"by A\^H"),
    ):
        with pytest.raises(TypeError, match=f"{name} must return a tensor, not NoneType"):
            lsmr(A, b, adjoint, 3)
    with pytest.raises(RuntimeError, match="the closure must return a vector of 3 components"):
        lsmr(short, b, torch.clone, 3)


@pytest.mark.parametrize("wide", [False, True])
def test_rank_deficient_least_squares(wide):
    A = torch.tensor([[1.0, 2, 3], [2, 4, 6], [1, 1, 1], [0, 1, 2]], dtype=DOUBLE)
    A = (A.T if wide else A).contiguous().to_sparse_csr().requires_grad_()
    B = torch.ones(A.shape[0], 1, dtype=DOUBLE, requires_grad=True)
    X = tsgu.sparse_generic_lstsq(A, B)
    vectors, shape = ("rows", "3 x 4") if wide else ("columns", "4 x 3")
    with pytest.raises(tsgu.SingularMatrixError) as caught:
        X.sum().backward()
    text = str(caught.value)
    assert f"a matrix whose {vectors} are independent" in text and f"this one, {shape}," in text
    assert "give damp > 0" in text and "rank=" not in text and "right-hand" not in text


def test_matrices_that_are_not_symmetric():
    A, B = system(n=40)
    dense = A.to_dense()
    dense[3, 17] = 5.0
    for broken, function in ((dense, "cg"), (dense, "minres")):
        with pytest.warns(tsgu.ConvergenceWarning) as caught:
            tsgu.sparse_generic_solve(broken.to_sparse_csr(), B, function, maxiter=2)
        text = str(caught[0].message)
        assert (
            "The matrix is not Hermitian" in text and "entry (3, 17) is 5, entry (17, 3) is" in text
        )
    with pytest.warns(UserWarning, match=r"^CG terminated in 2 .* not Hermitian.*entry \(3, 17\)"):
        linear_cg(dense, B, max_iter=2)
    text = r"^CG terminated in 2 .* not Hermitian.*entry \(3, 17\) is 5, entry \(17, 3\) is"
    for matrix in (dense, dense.to_sparse_csr(), torch.stack([A.to_dense(), dense])):
        with pytest.warns(UserWarning, match=text):
            linear_cg(matrix, B, max_iter=2, return_info=True)
    with pytest.raises(
        RuntimeError, match=r"^CG breakdown.* not Hermitian.*entry \(0, 1\) is 1, e"
    ):
        linear_cg(torch.tensor([[0.0, 1], [-1, 0]], dtype=DOUBLE), B[:2])
    with pytest.warns(tsgu.ConvergenceWarning) as caught:
        tsgu.sparse_generic_solve(A, B, "cg", maxiter=1, rtol=1e-14)
    assert "Hermitian" not in str(caught[0].message)


def test_zero_right_hand_sides_of_lsmr():
    for shape in ((9, 5), (5, 9), (6, 6)):
        A = torch.randn(shape, dtype=DOUBLE)
        b, x0 = torch.zeros(shape[0], dtype=DOUBLE), torch.ones(shape[1], dtype=DOUBLE)
        for x, iterations in (
            lsmr(A, b, x0=x0),
            lsmr(A.to_sparse_csr(), b, x0=x0),
            lsmr(A.matmul, b, A.T.matmul, shape[1], x0=x0),
        ):
            assert torch.equal(x, 0 * x0) and iterations == 0
    leaf = b.requires_grad_()
    (gradient,) = torch.autograd.grad(lsmr(A, leaf, x0=x0)[0].sum(), leaf)
    expected = torch.linalg.solve(A.T, torch.ones_like(b))
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_sizes_are_named():
    A = matrices.csr(3, 4)
    with pytest.raises(ValueError, match="operand B of spmm"):
        tsgu.operator("spmm")(tsgu.Pattern.of(A), A.values(), torch.ones(5, 2).double())
