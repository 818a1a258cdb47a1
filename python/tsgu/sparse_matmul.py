"""The product of a sparse and a dense matrix."""

import weakref

import torch
from torch.autograd import Function, forward_ad

from . import _library, _writes
from ._autograd import operator, stand_in, transforming
from ._gradients import before_gradient
from ._layouts import as_tensor, is_sparse
from ._linear_solve import same_dtype
from ._matrix import Matrix, is_hybrid, is_tensor_or_matrix, product
from ._modes import outside_graphs
from ._pattern import CSR, Pattern, require_as_of
from ._tensors import (
    add_gradients,
    copy_gradient,
    from_values,
    is_used,
    parts,
    put_together,
    shared_values,
    take_apart,
)

__all__ = ["SparseMatMul", "sparse_mm"]

_CSR = torch.sparse_csr
_counting = _writes.counting
_is_compiling = torch.compiler.is_compiling
_is_grad_enabled = torch.is_grad_enabled
_transforms_active = torch._C._are_functorch_transforms_active
_run2 = torch.ops.tsgu.run2.default._op
_run3 = torch.ops.tsgu.run3.default._op
_run_pair3 = torch.ops.tsgu.run_pair3.default._op
_MATRIX = operator("spmm")
_BATCH = operator("spmm/batch")
_PRODUCT = _MATRIX.program
_COTANGENT_OF_A, _COTANGENT_OF_B = (_MATRIX.cotangent(k).derived.program for k in (0, 1))


def _check_operands(A, B):
    """Raises ValueError for the first thing that is wrong with the operands."""
    if not is_tensor_or_matrix(A) or not isinstance(B, torch.Tensor):
        raise ValueError("Both A and B should be instances of torch.Tensor")
    if A.dim() < 2 or B.dim() < 2:
        raise ValueError("Both A and B should be at least 2-dimensional tensors")
    if A.dim() != B.dim() or A.dim() > 3:
        raise ValueError("A and B must both be 2D or both be 3D tensors")
    if not is_sparse(A):
        raise ValueError("A should be in either COO or CSR sparse format")
    if B.layout is not torch.strided:
        raise ValueError("B must be a dense (strided) tensor")
    if A.dim() == 3 and A.shape[0] != B.shape[0]:
        raise ValueError("If batched, A and B must have the same batch size")
    if A.shape[-1] != B.shape[-2]:
        raise ValueError(
            f"Incompatible inner dimensions: A[..., {A.size(-1)}] vs B[..., {B.size(-2)}]"
        )
    if is_hybrid(A):
        raise ValueError("A must not be hybrid: its entries must be numbers, not dense blocks")


def _operator(pattern):
    return _MATRIX if pattern.items == -1 else _BATCH


def _multiply(A, B):
    """Pattern (or what makes one), its version and values of A; the product, without autograd."""
    if A.layout is _CSR and A.dim() == 2:
        # The common case, written out: its cost is that of its calls into torch.
        positions, coordinates, values = A.crow_indices(), A.col_indices(), A.values()
        rows, columns = A.shape
        pattern = positions, coordinates, CSR, -1, rows, columns, False
        if positions.numel() != rows + 1:
            Pattern(*pattern).reject(A.shape)
        # As Pattern.version: the parts of a tensor share one counter.
        if _counting:
            version = _writes.version(positions, coordinates)
        else:
            version = -1 if A.is_inference() else 2 * A._version
        result = _run2(_PRODUCT.number, positions, coordinates, columns, version, values, B)
        return pattern, version, values, result
    pattern, values = take_apart(A)
    result = _operator(pattern).program.run((pattern,), values, B)
    return pattern, pattern.version(), values, result


def _made(pattern):
    return Pattern(*pattern) if type(pattern) is tuple else pattern


class SparseMatMul(Function):
    """`SparseMatMul.apply(A, B)` is `sparse_mm(A, B)`."""

    @staticmethod
    def apply(A, B):
        return sparse_mm(A, B)

    @staticmethod
    def forward(ctx, A, B):
        ctx.pattern, ctx.version, values, result = _multiply(A, B)
        needs_A, needs_B = ctx.needs_input_grad
        # The gradient of A reads B, that of B reads A.
        if needs_B:
            ctx.values = values
        if not needs_A:
            ctx.shape = B.shape
        elif A.is_leaf:
            ctx.leaf = A
        else:
            ctx.leaf, ctx.of = None, weakref.ref(A)
            is_used(A, ctx)
        saved = A if needs_B else None, B if needs_A else None
        if _counting and needs_B:
            saved += (*_writes.sources([values]),)
        ctx.save_for_backward(*saved)
        return result

    @staticmethod
    def backward(ctx, cotangent):
        A, B = ctx.saved_tensors[:2]  # the others only have to be unwritten
        needs_A, needs_B = ctx.needs_input_grad
        pattern = _made(ctx.pattern)
        version = pattern.version()
        if version != ctx.version:
            require_as_of(pattern, ctx.version)
        if needs_A and (ctx.leaf is None or ctx.leaf.grad is not None):
            before_gradient(ctx, add_gradients, copy_gradient)  # torch keeps a leaf's first itself
        if cotangent.stride(-1) != 1:
            cotangent = cotangent.contiguous()
        if _is_grad_enabled() or transforming():
            dense = stand_in(ctx.shape, cotangent) if B is None else B
            return _differentiable_backward(pattern, A, dense, cotangent, needs_A, needs_B)
        values = _unread(pattern) if A is None else ctx.values
        dense = stand_in(ctx.shape, cotangent) if B is None else B
        if pattern.form == CSR and pattern.items == -1:
            return _backward_csr(pattern, version, values, dense, cotangent, needs_A, needs_B)
        product, gradient_A, gradient_B = _operator(pattern), None, None
        if needs_A:
            run = product.cotangent(0).derived.program.run
            gradient_A = put_together(pattern, run((pattern,), values, dense, cotangent))
        if needs_B:
            run = product.cotangent(1).derived.program.run
            gradient_B = run((pattern,), values, dense, cotangent)
        return gradient_A, gradient_B


def _backward_csr(pattern, version, values, B, cotangent, needs_A, needs_B):
    """The common case of backward, written out like that of _multiply."""
    positions, coordinates, columns = pattern.positions, pattern.coordinates, pattern.columns
    arguments = positions, coordinates, columns, version, values, B, cotangent
    on_pattern = gradient_B = None
    try:
        if needs_A and needs_B:
            on_pattern, gradient_B = _run_pair3(
                _COTANGENT_OF_A.number, _COTANGENT_OF_B.number, *arguments
            )
        elif needs_A:
            on_pattern = _run3(_COTANGENT_OF_A.number, *arguments)
        else:
            return None, _run3(_COTANGENT_OF_B.number, *arguments)
    except (ValueError, RuntimeError) as error:
        raise _library.translate(error) from None
    gradient_A = torch.sparse_csr_tensor(
        positions, coordinates, on_pattern, (pattern.rows, columns), check_invariants=False
    )
    return gradient_A, gradient_B


def _unread(pattern):
    """A tensor with the shape of the pattern's values."""
    coordinates = pattern.coordinates
    if pattern.form:
        return coordinates[0]
    return coordinates if coordinates.dim() == 1 else coordinates.reshape(-1)


def _differentiable_backward(pattern, A, B, cotangent, needs_A, needs_B):
    """As backward, through operators that can be differentiated again."""
    product = _operator(pattern)
    values = _unread(pattern) if A is None else parts(A)[1]
    gradient_A = gradient_B = None
    if needs_A:
        derived = product.cotangent(0).derived
        gradient_A = from_values(pattern, derived.call((pattern,), values, B, cotangent))
    if needs_B:
        derived = product.cotangent(1).derived
        gradient_B = derived.call((pattern,), values, B, cotangent)
    return gradient_A, gradient_B


# The base class's apply: the subclass's binds arguments to a signature at every call.
_apply = super(Function, SparseMatMul).apply


@outside_graphs
def sparse_mm(A, B):
    """The product A B of a sparse A and a dense B, differentiable in both to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, m), or a batch (b, n, m) whose items may
    have different numbers of entries (COO), or a SciPy array; float32, float64, complex64,
    complex128, float16 or bfloat16 (summed in float32, rounded once), indices int32 or int64. B:
    strided, (m, p) or (b, m, p), of A's dtype; a copy is made unless its last stride is 1. The
    result is dense, (n, p) or (b, n, p). The gradient of A is sparse, in A's layout and on A's
    pattern, with one entry for each stored one; only the gradients asked for are computed.

    Raises ValueError for operands that do not fit, TypeError for other dtypes and devices,
    PatternError for a corrupt A.
    """
    if type(A) is Matrix:
        return product(A, B)
    try:
        batched = A.dim() != 2 or B.dim() != 2
        if batched:
            _check_operands(A, B)
        # As transforming(), written out.
        by_parts = _transforms_active() or forward_ad._current_level >= 0
        if by_parts or _is_compiling():
            return _by_parts(A, B)
        needs_A = A.requires_grad
        if needs_A and (batched or A.layout is not _CSR or id(A) in shared_values):
            return _by_parts(A, B)
        if _is_grad_enabled() and (needs_A or B.requires_grad):
            return _apply(A, B)
        return _multiply(A, B)[3]
    except Exception as error:
        # Looked at only now: the common case need not pay for it.
        matrix = as_tensor(A)
        if matrix is not A:
            return sparse_mm(matrix, B)
        _check_operands(A, B)
        if A.dtype != B.dtype:
            return sparse_mm(A, same_dtype(A, B))
        if A.layout is _CSR and _has_two_widths(A):
            return _by_parts(A, B)
        raise _library.translate(error) from None


def _has_two_widths(A):
    return A.crow_indices().dtype is not A.col_indices().dtype


def _by_parts(A, B):
    pattern, values = parts(A)
    return _operator(pattern).call((pattern,), values, B)
