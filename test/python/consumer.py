"""A typed program of a user, which test_annotations.py has checked and never runs.

A line that is wrong says which error of mypy it is.
"""

# mypy: disallow-untyped-calls, disallow-untyped-defs

import torch
from typing_extensions import assert_type

import tsgu
from tsgu.distributions import (
    IntrinsicMultivariateNormal,
    SparseMultivariateNormal,
    condition,
    posterior,
)
from tsgu.encoders import PairwiseEncoder
from tsgu.utils import linear_cg, lsmr, minres, rand_sparse, sparse_block_diag, stack_csr
from tsgu.utils.linear_cg import CGInfo


def products(A: tsgu.Matrix, S: torch.Tensor, B: torch.Tensor) -> None:
    assert_type(tsgu.sparse_mm(A, B), torch.Tensor)
    assert_type(tsgu.sparse_mv(S, B), torch.Tensor)
    assert_type(A @ B, torch.Tensor)
    assert_type(B @ A, torch.Tensor)
    assert_type(A @ A, tsgu.Matrix)
    assert_type(A.T @ A.mH, tsgu.Matrix)
    assert_type(tsgu.spgemm(A, S), tsgu.Matrix)
    assert_type(tsgu.spgemm(S, A), tsgu.Matrix)
    assert_type(tsgu.spgemm(S, S), torch.Tensor)
    assert_type(tsgu.sddmm(A.pattern, B, B), tsgu.Matrix)
    assert_type(tsgu.einsum("ij,jk->ik", S, B), torch.Tensor)
    tsgu.einsum("ij,jk->ik", A, B)
    tsgu.sparse_mm(A, A)  # error: arg-type
    tsgu.sparse_mm("A", B)  # error: arg-type
    tsgu.einsum(A, B)  # error: call-overload
    A @ "B"  # error: operator
    S.no_such_method()  # error: attr-defined


def arithmetic(A: tsgu.Matrix, S: torch.Tensor) -> None:
    assert_type(2 * A + A / 3.0 - A * A, tsgu.Matrix)
    assert_type(-A, tsgu.Matrix)
    assert_type(tsgu.sparse_add(S, S, alpha=2), torch.Tensor)
    assert_type(tsgu.sparse_mul(S, 1j), torch.Tensor)
    assert_type(tsgu.sparse_div(A, S), tsgu.Matrix)
    A + "A"  # error: operator
    A / A  # error: operator


def matrices(positions: list[int], values: torch.Tensor) -> None:
    assert_type(tsgu.csr(positions, [0, 1], values, (2, 3)), torch.Tensor)
    assert_type(tsgu.coo([[0, 1], [1, 0]], values, (2, 2)), torch.Tensor)
    A = tsgu.Matrix.of(tsgu.csr(positions, [0, 1], values, (2, 3)))
    assert_type(A, tsgu.Matrix)
    assert_type(tsgu.Matrix(A.pattern, 2 * A.values), tsgu.Matrix)
    assert_type(tsgu.Matrix.read("matrix.mtx", torch.float32), tsgu.Matrix)
    assert_type(tsgu.values(A), torch.Tensor)
    assert_type(A.to(torch.float32), tsgu.Matrix)
    assert_type(A.to_torch(torch.sparse_csc), torch.Tensor)
    assert_type(A.size(), torch.Size)
    assert_type(A.size(0), int)
    assert_type(A.dtype, torch.dtype)
    assert_type(tsgu.Pattern.csr(positions, [0, 1], 3).transposed(), tsgu.Pattern)
    A.values = values  # error: assignment
    A.nonsense()  # error: attr-defined
    tsgu.Matrix(A, values)  # error: arg-type
    tsgu.csr(positions, [0, 1], values, 2)  # error: arg-type


def reductions(A: tsgu.Matrix, S: torch.Tensor) -> None:
    assert_type(tsgu.sparse_sum(S, -1, keepdim=True), torch.Tensor)
    assert_type(A.sum(dim=(-2, -1)), torch.Tensor)
    assert_type(A.mean([0, 1], include_zeros=False), torch.Tensor)
    assert_type(A.softmax(-1), tsgu.Matrix)
    assert_type(tsgu.sparse_log_softmax(S, -1), torch.Tensor)
    assert_type(tsgu.sparse_bidir_logsumexp(S), tuple[torch.Tensor, torch.Tensor])
    assert_type(tsgu.sparse_bidir_logsumexp(A, output_layout="padded"), torch.Tensor)
    tsgu.sparse_sum(S, "rows")  # error: arg-type
    A.softmax("rows")  # error: arg-type
    text: str = A.logsumexp(-1)  # error: assignment
    tsgu.sparse_bidir_logsumexp(S, output_layout="list")  # error: call-overload
    print(text)


def solves(A: tsgu.Matrix, S: torch.Tensor, b: torch.Tensor) -> None:
    assert_type(A.solve(b), torch.Tensor)
    assert_type(A.solve(b, "cg", preconditioner="ic0", rtol=1e-9), torch.Tensor)
    assert_type(A.solve(b, method="lu", progress=True), torch.Tensor)
    assert_type(A.solve(b, return_info=True), tuple[torch.Tensor, tsgu.SolveInfo])
    x, info = tsgu.sparse_generic_solve(S, b, "gmres", return_info=True)
    assert_type(x, torch.Tensor)
    assert_type(info.iterations, torch.Tensor)
    assert_type(tsgu.sparse_generic_solve(A, b, lambda A, b: b), torch.Tensor)
    assert_type(tsgu.sparse_triangular_solve(S, b, upper=False), torch.Tensor)
    assert_type(A.lstsq(b, damp=0.1), torch.Tensor)
    assert_type(tsgu.direct.solve(S, b), torch.Tensor)
    assert_type(tsgu.solver("gmres", restart=20), torch.Tensor)
    A.solve(b, "conjugate gradients")  # error: call-overload
    A.solve(b, "cg", rtol="tight")  # error: call-overload
    A.solve(b, method="cg", tolerance=1e-3)  # error: call-overload
    A.solve(b, return_info=True).sum()  # error: attr-defined
    tsgu.solver("cholesky", on_fail="explode")  # error: arg-type
    tsgu.sparse_triangular_solve(S, b, uper=False)  # error: call-arg


def determinants(A: tsgu.Matrix, S: torch.Tensor, b: torch.Tensor) -> None:
    assert_type(tsgu.logdet(S), torch.Tensor)
    assert_type(tsgu.slogdet(A).sign, torch.Tensor)
    assert_type(tsgu.selected_inverse(A), tsgu.Matrix)
    assert_type(A.selected_inverse("lu"), tsgu.Matrix)
    assert_type(tsgu.selected_inverse(S, "cholesky"), torch.Tensor)
    factorization = A.factorize("cholesky")
    assert_type(factorization.solve(b) + factorization.diag_inverse(), torch.Tensor)
    assert_type(factorization.update(b).logdet(), torch.Tensor)
    tsgu.logdet(A, method="qr")  # error: arg-type
    tsgu.logdet(A) + "text"  # error: operator


def programs(A: tsgu.Matrix, B: torch.Tensor) -> None:
    multiply = tsgu.operator("spmm")
    assert_type(multiply, tsgu.Operator)
    assert_type(multiply(A.pattern, A.values, B), torch.Tensor)
    multiply(A, B)
    assert_type(tsgu.load_program("program.mlir").refused, dict[str, str])
    assert_type(tsgu.load_programs("program.mlir"), tuple[tsgu.Operator, ...])
    assert_type(tsgu.programs()["spmm"].operands[0].rank, int)
    tsgu.operator(A)  # error: arg-type
    tsgu.no_such_function()  # error: attr-defined


def utilities(A: tsgu.Matrix, S: torch.Tensor, b: torch.Tensor) -> None:
    assert_type(rand_sparse((5, 4), 3, torch.sparse_csr, well_conditioned=True), torch.Tensor)
    assert_type(linear_cg(A, b, preconditioner="jacobi"), torch.Tensor)
    assert_type(linear_cg(lambda x: 2 * x, b, return_info=True), tuple[torch.Tensor, CGInfo])
    x, T = linear_cg(S, b, 1)
    assert_type(minres(S.matmul, b, shifts=[0.0, 1.0]), torch.Tensor)
    assert_type(lsmr(A, b)[1], int)
    assert_type(sparse_block_diag(A, A), tsgu.Matrix)
    assert_type(sparse_block_diag(S, S, S), torch.Tensor)
    assert_type(stack_csr([S, S]), torch.Tensor)
    rand_sparse(5, 3)  # error: arg-type
    linear_cg("A", b)  # error: call-overload
    minres(A, b, tolerance=1e-3)  # error: call-arg
    print(x, T)


def fields(Q: tsgu.Matrix, V: torch.Tensor, m: torch.Tensor) -> None:
    field = SparseMultivariateNormal(m, precision_matrix=Q)
    assert_type(field.log_prob(m) + field.entropy(), torch.Tensor)
    assert_type(field.rsample((3,)), torch.Tensor)
    assert_type(condition(field, [0, 2], m[:2]).variance, torch.Tensor)
    prior = IntrinsicMultivariateNormal(Q, V)
    assert_type(posterior(prior, Q, m, 2.0), SparseMultivariateNormal)
    field.log_prob("sample")  # error: arg-type
    SparseMultivariateNormal(m, precision=Q)  # error: call-arg
    assert_type(condition(prior, [0], m[:1]).mean, torch.Tensor)
    condition(m, [0], m[:1])  # error: arg-type


def encoders(values: torch.Tensor) -> None:
    encoder = PairwiseEncoder(1.5, (1, 4, 4), channel_voxel_relation="intra")
    assert_type(encoder.forward(values), torch.Tensor)
    PairwiseEncoder(1.0, (1, 4), channel_voxel_relation="all")  # error: arg-type
    tsgu.encoders.no_such_encoder()  # error: attr-defined
