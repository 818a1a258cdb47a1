"""Closures that are complex where the right-hand side is real: the imaginary part is not lost."""

import pytest
import torch

from tsgu.utils import BICGSTABSettings, bicgstab, cgs, gmres, linear_cg, lsmr, minres

H = torch.tensor([[2, 1j], [-1j, 3]], dtype=torch.complex128)
R = torch.tensor([[2, 1.0], [1, 3]], dtype=torch.float64)
REAL = torch.ones(2, dtype=torch.float64)


def complex_product(v):
    return H @ v.to(H.dtype)


def real_product(v):
    return R @ v


def solve(function, operator, b, preconditioner=None):
    if function is bicgstab:
        return bicgstab(operator, b, settings=BICGSTABSettings(precon=preconditioner))
    return function(operator, b, preconditioner=preconditioner)


@pytest.mark.parametrize("function", [linear_cg, minres, bicgstab, gmres, cgs])
def test_square(function):
    with pytest.raises(TypeError, match="the closure gives torch.complex128.*pass the right-hand"):
        solve(function, complex_product, REAL)
    for operator in (real_product, R):
        with pytest.raises(TypeError, match="the preconditioner gives torch.complex128"):
            solve(function, operator, REAL, complex_product)
    x = solve(function, complex_product, REAL.to(H.dtype))
    torch.testing.assert_close(x, torch.linalg.solve(H, REAL.to(H.dtype)))


def test_gradients_and_batches():
    b = REAL.repeat(3, 1, 1).mT.clone().requires_grad_()
    with pytest.raises(TypeError, match="the closure gives"):
        linear_cg(complex_product, b)
    turned = []

    def later(v):
        return complex_product(v) if turned else real_product(v)

    x = linear_cg(later, b)
    turned.append(True)
    with pytest.raises(TypeError, match="the closure gives"):
        x.sum().backward()


def test_least_squares():
    with pytest.raises(TypeError, match="the closure gives"):
        lsmr(complex_product, REAL, Armat=real_product, n=2)
    with pytest.raises(TypeError, match=r"multiplies by A\^H gives"):
        lsmr(real_product, REAL, Armat=complex_product, n=2)
