"""Writes between forward and backward: the error of dense torch, or the right gradient."""

import numpy
import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild

MODIFIED = "modified by an inplace operation"


def functions(A):
    """name -> a function of a sparse A and a dense B whose gradient in B reads A's values."""
    pattern = tsgu.Pattern.of(A)
    batch = "/batch" if A.dim() == 3 else ""
    spmm = tsgu.operator("spmm" + batch)
    return {
        "sparse_mm": tsgu.sparse_mm,
        "triangular": tsgu.sparse_triangular_solve,
        "transposed": lambda A, B: tsgu.sparse_triangular_solve(A, B, transpose=True),
        "generic": lambda A, B: tsgu.sparse_generic_solve(A, B, "gmres", rtol=1e-12),
        "guess": lambda A, B: tsgu.sparse_generic_solve(A, B, "gmres", rtol=1e-12, x0=B.detach()),
        "callable": lambda A, B: tsgu.sparse_generic_solve(A, B, _dense_solve),
        "least squares": lambda A, B: tsgu.sparse_generic_lstsq(A, B, rtol=1e-12),
        "utils": lambda A, B: tsgu.utils.gmres(A, B, rtol=1e-12),
        "operator": lambda A, B: spmm(pattern, tsgu.values(A).reshape(-1), B),
    }


def _dense_solve(A, B):
    return torch.linalg.solve(A.to_dense(), B)


FUNCTIONS = list(functions(matrices.csr(2, 2)))
KINDS = ["csr32", "csr64", "coo", "uncoalesced", "batched csr64", "ragged coo"]


def operands(kind, needs):
    given = matrices.invertible(kind, 6)
    values = oracle.stored_values(given).clone().requires_grad_(needs)
    return given, values, matrices.right_side(given).requires_grad_()


@pytest.mark.parametrize("written", ["those it was made of", "its own"])
@pytest.mark.parametrize("needs", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_values_of_a_matrix(kind, name, needs, written):
    given, values, B = operands(kind, needs)
    A = rebuild(given, values)
    result = functions(given)[name](A, B)
    if written == "its own":
        values = A._values() if A.layout is torch.sparse_coo else A.values()
    with torch.no_grad():
        values.mul_(3)
    with pytest.raises(RuntimeError, match=MODIFIED):
        torch.autograd.grad(result.sum(), B)


@pytest.mark.parametrize("kind", KINDS)
def test_a_detached_matrix_shares_what_it_was_made_of(kind):
    given, values, B = operands(kind, True)
    A = rebuild(given, values)
    result = tsgu.sparse_mm(A.detach(), B)
    with torch.no_grad():
        values.mul_(3)
    with pytest.raises(RuntimeError, match=MODIFIED):
        result.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_index_tensors(kind):
    """Those that a matrix was made of: whatever is written to them."""
    given, values, B = operands(kind, True)
    if given.layout is torch.sparse_coo:
        indices = [given._indices().clone()]
        A = tsgu.coo(indices[0], values, given.shape)
    else:
        indices = [given.crow_indices().clone(), given.col_indices().clone()]
        A = tsgu.csr(*indices, values.view(indices[1].shape), given.shape)
    for index in indices:
        result, before = tsgu.sparse_mm(A, B), index.clone()
        index.zero_()
        for wanted in (values, B):
            with pytest.raises(RuntimeError, match=MODIFIED):
                torch.autograd.grad(result.sum(), wanted, retain_graph=True)
        index.copy_(before)


@pytest.mark.parametrize("moved", ["no", "to itself", "to a copy"])
@pytest.mark.parametrize("kind", ["csr64", "coo"])
def test_index_tensors_of_a_pattern(kind, moved):
    A = matrices.ALL[kind](4, 4, torch.float64)
    if A.layout is torch.sparse_coo:
        indices = A._indices().clone()
        pattern, written = tsgu.Pattern.coo(indices, A.shape), indices
    else:
        written = A.col_indices().clone()
        pattern = tsgu.Pattern.csr(A.crow_indices(), written, 4)
    if moved == "to itself":
        pattern = pattern.to("cpu")
    elif moved == "to a copy":
        pattern = pattern.to(torch.int32)
        written = pattern.coordinates
    values = oracle.stored_values(A).requires_grad_()
    B = torch.randn(4, 2, dtype=torch.float64)
    result = tsgu.operator("spmm")(pattern, values, B)
    written.zero_()
    with pytest.raises(RuntimeError, match=MODIFIED):
        result.sum().backward()


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_result_of_softmax(kind, dim):
    given, values, _ = operands(kind, True)
    A = rebuild(given, values)
    result = tsgu.sparse_softmax(A, dim)
    loss = (tsgu.values(result) ** 2).sum()
    with torch.no_grad():
        (result._values() if A.layout is torch.sparse_coo else result.values()).mul_(2)
    with pytest.raises(RuntimeError, match=MODIFIED):
        loss.backward()


def test_the_result_of_softmax_read_by_nothing_else():
    given, values, _ = operands("csr64", True)
    result = tsgu.sparse_softmax(rebuild(given, values), -1)
    loss = tsgu.values(result).sum()
    with torch.no_grad():
        result.values().mul_(2)
    with pytest.raises(RuntimeError, match=MODIFIED):
        loss.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_derivative_reads_may_be_written(kind):
    """As with dense torch: the gradient of A reads B alone."""
    given, values, B = operands(kind, True)
    A = rebuild(given, values)
    B = B.detach()
    result = tsgu.sparse_mm(A, B).sum()
    with torch.no_grad():
        values.mul_(3)
    (actual,) = torch.autograd.grad(result, values)
    expected = torch.ones_like(given.to_dense() @ B) @ B.mT
    oracle.assert_close(actual, expected[tuple(oracle.indices_of(given))])


@pytest.mark.parametrize("function", ["sparse_mm", "coo", "operator"])
def test_time_steps_with_coefficients_in_one_buffer(function):
    """x3 = c3 c2 c1 x0 with c = 2, 3, 5: dx3/dx0 is 30, or refused."""
    positions, coordinates = torch.tensor([0, 1]), torch.tensor([0])
    buffer, start = torch.ones(1), torch.ones(1, 1, requires_grad=True)
    pattern = tsgu.Pattern.csr(positions, coordinates, 1)
    x = start
    for coefficient in (2.0, 3.0, 5.0):
        buffer.fill_(coefficient)
        if function == "sparse_mm":
            x = tsgu.sparse_mm(tsgu.csr(positions, coordinates, buffer, (1, 1)), x)
        elif function == "coo":
            x = tsgu.sparse_mm(tsgu.coo(torch.zeros(2, 1).long(), buffer, (1, 1)), x)
        else:
            x = tsgu.operator("spmm")(pattern, buffer, x)
    assert x.item() == 30
    with pytest.raises(RuntimeError, match=MODIFIED):
        x.backward()
    # The way that works: new values in each step.
    x = start
    for coefficient in (2.0, 3.0, 5.0):
        x = tsgu.sparse_mm(tsgu.csr(positions, coordinates, torch.tensor([coefficient]), (1, 1)), x)
    x.backward()
    assert start.grad.item() == 30


def test_arrays_are_copied():
    positions, coordinates = numpy.array([0, 1, 2]), numpy.array([0, 1])
    values = numpy.array([2.0, 3.0])
    A = tsgu.csr(positions, coordinates, values, (2, 2))
    B = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    result = tsgu.sparse_mm(A, B)
    values[:], coordinates[:] = 7, 0
    result.sum().backward()
    assert B.grad.tolist() == [[2.0], [3.0]]


@pytest.mark.parametrize("written", ["values", "indices", "dense"])
def test_component_operators(written):
    A = matrices.csr(4, 4)
    positions, coordinates = A.crow_indices().clone(), A.col_indices().clone()
    values = A.values().clone().requires_grad_()
    B = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    scaled, dense = values * 1, B * 1
    result = torch.ops.tsgu.spmm(positions, coordinates, 4, scaled, dense)
    with torch.no_grad():
        {"values": scaled, "indices": coordinates, "dense": dense}[written].zero_()
    with pytest.raises(RuntimeError, match=MODIFIED):
        result.sum().backward()
