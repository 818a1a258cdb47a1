"""Krylov methods for matrices and closures: what the functions of tsgu.utils have in common."""

from typing import NamedTuple

import torch
from torch._C._functorch import is_batchedtensor as is_mapped
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped
from torch.autograd import forward_ad

from .._matrices.kinds import is_tensor_or_matrix
from .._matrices.matrix import Matrix
from .._patterns.layouts import as_tensor
from .._patterns.pattern import Pattern
from .._patterns.tensors import parts
from .._programs.autograd import operator_on
from .._runtime.callbacks import Callables, with_gradients
from ..sparse_matmul import sparse_mm
from .iteration import Criteria, Ended, Functions, iterate
from .linear_solve import (
    check_on_cpu,
    dense_parts,
    handle_maker,
    is_sparse,
    run,
    same_dtype,
    transforming,
    with_shift,
)
from .solver import solver
from .user_solve import UserSolve


def check_operator(operator, name):
    """Raises RuntimeError for what is neither a matrix nor a function."""
    if not is_tensor_or_matrix(as_tensor(operator)) and not callable(operator):
        raise RuntimeError(f"{name} must be a tensor, or a callable object!")


def matrix_of(operator):
    """The matrix that an operator is or multiplies by, None for a closure."""
    operator = as_tensor(operator)
    if is_tensor_or_matrix(operator):
        return operator
    owner = as_tensor(getattr(operator, "__self__", None))
    products = ("matmul", "mm", "dot", "__matmul__")
    return owner if is_tensor_or_matrix(owner) and operator.__name__ in products else None


def _refuse_nonfinite(text):
    """The text of warnings; raises for a solve (not of a gradient) that met NaN or infinity."""

    def describe(outcome):
        if outcome.mode == 0 and "not finite" in outcome.reasons:
            raise RuntimeError(
                "NaNs encountered when trying to perform matrix-vector multiplication (NaNs or "
                "infinities, there or in the right-hand side). " + outcome.explanation
            )
        return outcome.explanation if text is None else text(outcome)

    return describe


def _with_asymmetry(text, pattern, values):
    """The text of warnings that also names the entries where a matrix is not Hermitian."""

    def describe(outcome):
        A = torch.sparse_coo_tensor(pattern.entry_indices(), values, pattern.shape).coalesce()
        apart = (A - A.mH.coalesce()).coalesce()
        sizes, largest = apart.values().abs(), values.abs().max()
        if (sizes > torch.finfo(values.dtype).eps ** 0.5 * largest).any():
            *item, i, j = apart.indices()[:, sizes.argmax()].tolist()
            first, second = A[(*item, i, j)].item(), A[(*item, j, i)].item()
            where = f"entry ({i}, {j}) is {first:g}, entry ({j}, {i}) is {second:g}"
            outcome = outcome._replace(
                explanation=f"{outcome.explanation} The matrix is not Hermitian: {where}."
            )
        return text(outcome)

    return describe


def check_rhs(rhs):
    """Raises RuntimeError for what has no columns."""
    if not isinstance(rhs, torch.Tensor) or rhs.dim() == 0:
        raise RuntimeError("rhs must be a tensor of shape (n,), (n, k) or (..., n, k)")


def with_guess(wanted, rhs, guess):
    """`wanted` from this guess, in the shape of rhs as columns; None: from zero."""
    check_rhs(rhs)
    if guess is None:
        return wanted
    if not isinstance(guess, torch.Tensor):
        raise TypeError(f"initial_guess must be a torch.Tensor, not {type(guess).__name__}")
    columns = rhs.unsqueeze(-1) if rhs.dim() == 1 else rhs
    wide = guess.unsqueeze(-1) if guess.dim() == 1 else guess
    try:
        return wanted._replace(x0=wide.expand(columns.shape))
    except RuntimeError:
        raise ValueError(
            f"initial_guess must have the shape of rhs, {tuple(rhs.shape)}, or one that expands to "
            f"it, and has {tuple(guess.shape)}"
        ) from None


def solve_columns(
    method,
    operator,
    rhs,
    wanted,
    *,
    text=None,
    lanczos=(0, 0),
    shifts=None,
    value=None,
    criteria=None,
    vectors=False,
):
    """The solution of A x = rhs; with criteria, also its Solution.

    lanczos: (columns, steps > 0) of Lanczos matrices. With shifts (s,) the solutions (s, ...) of
    (value A + shifts[k] I) x = rhs. criteria: of an iteration whose end is asked for. vectors:
    functions take the columns of a 2-D rhs one by one.
    """
    check_rhs(rhs)
    check_on_cpu(rhs)
    vector = rhs.dim() == 1
    B = rhs.unsqueeze(-1) if vector else rhs
    text = _refuse_nonfinite(text)
    vectors = vectors and B.dim() == 2
    problem = _Problem(method, wanted, text, shifts, value, criteria, lanczos, vectors)
    A = matrix_of(operator)
    x, solution = problem.by_closure(operator, B) if A is None else problem.by_matrix(A, B)
    x = x.squeeze(-1) if vector else x
    return x if criteria is None else (x, solution)


class _Block:
    """(..., n, k) as the columns of (n, columns), or with matrices of a batch, (items, n, k)."""

    def __init__(self, B, items=()):
        self.shape, self.items = B.shape, items
        if items:
            self.shape = torch.Size((*items, *B.shape[-2:]))

    def fold(self, B):
        if self.items:
            return B.expand(self.shape).flatten(0, -3)
        return B if B.dim() == 2 else B.movedim(-2, 0).flatten(1)

    def unfold(self, folded):
        if self.items:
            return folded.reshape(self.shape)
        if len(self.shape) == 2:  # of any number of columns
            return folded
        *batch, n, columns = self.shape
        return folded.reshape(n, *batch, columns).movedim(0, -2)


class Solution(NamedTuple):
    """What is told of a solve besides x."""

    ended: Ended
    tridiagonals: torch.Tensor | None


class _Problem:
    """What a call asks for, but for A and B."""

    def __init__(
        self,
        method,
        wanted,
        text,
        shifts=None,
        value=None,
        criteria=None,
        lanczos=(0, 0),
        vectors=False,
    ):
        wanted = wanted._replace(preconditioner=as_tensor(wanted.preconditioner))
        self.method, self.wanted, self.text = method, wanted, text
        self.shifts, self.value = shifts, value
        self.criteria, self.lanczos, self.vectors = criteria, lanczos, vectors

    def plain(self, **changes):
        """The same without a guess and without shifts, and nothing told: as gradients want it."""
        wanted = self.wanted._replace(**{"x0": None, **changes})
        return _Problem(self.method, wanted, self.text, vectors=self.vectors)

    @property
    def hermitian(self):
        return self.method in ("cg", "minres")

    def handle(self, dtype):
        return handle_maker(self.method, self.wanted, dtype, "warn", self.text)

    # A matrix: the program of solves, which knows its derivatives.

    def by_matrix(self, A, B):
        if A.dim() < 2 or A.shape[-1] != A.shape[-2] or A.shape[-1] != B.shape[-2]:
            raise RuntimeError(
                f"Size mismatch: the matrix has shape {tuple(A.shape)}, rhs {tuple(B.shape)}"
            )
        B = same_dtype(A, B, "rhs")
        items = A.shape[:-2]
        if is_sparse(A):
            pattern, values = parts(A)
        else:
            pattern, values = dense_parts(A.flatten(0, -3) if items else A)
        block = _Block(B, items)
        if self.shifts is None and self.value is None:
            return self._by_program(pattern, values, B, block)
        results = []
        for shift in [0.0] if self.shifts is None else self.shifts:
            shifted = with_shift(pattern, values, self.value, shift)
            results.append(self.plain()._by_program(*shifted, B, block)[0])
        return results[0] if self.shifts is None else torch.stack(results), None

    def _by_program(self, pattern, values, B, block):
        M = self.wanted.preconditioner
        if self.criteria is None and (M is None or isinstance(M, str)):
            return self._run(pattern, values, block.fold(B), block), None

        handle = self._handle_of_gradients(pattern, values.dtype, block)
        program, B = operator_on("solve", pattern), B.expand(block.shape)
        if is_wrapped(values) or is_wrapped(B):
            self._refuse_telling()
            return block.unfold(program.call((pattern,), handle, values, block.fold(B))), None

        # Iterated from here; the gradients are those of the solve.
        plain = values.detach()

        def multiply(V):
            product = operator_on("spmm", pattern)
            return block.unfold(product.call((pattern,), plain, block.fold(V)))

        if self.hermitian:  # as the runtime does, which sees no matrix here
            self.text = _with_asymmetry(self.text, pattern, plain)
        product = _Product(multiply, _Block(B))
        x, solution = with_gradients(False, self._iterate, product, B.detach())
        x = program.attach((pattern,), block.fold(x), handle, values, block.fold(B))
        return block.unfold(x), solution

    def _refuse_telling(self):
        """Raises where more than x is wanted of a solve that a transform follows."""
        if self.criteria is not None:
            raise RuntimeError(
                "within a torch.func transform a solve gives x alone, by its tolerance and number "
                "of iterations: ask for what else there is of it (Lanczos matrices, CGInfo, a "
                "number of products) outside"
            )

    def _run(self, pattern, values, b, block):
        guess = None if self.wanted.x0 is None else block.fold(self.wanted.x0)
        if not self.wanted.atol or transforming():
            return block.unfold(run(pattern, values, b, self.handle(values.dtype), guess=guess)[0])
        # Cotangents may be of any size: for them atol says nothing.
        x, _ = with_gradients(
            False, lambda: run(pattern, values, b, self.handle(values.dtype), guess=guess)
        )
        handle = self.plain(atol=None).handle(values.dtype)(None)
        return block.unfold(operator_on("solve", pattern).attach((pattern,), x, handle, values, b))

    def _handle_of_gradients(self, pattern, dtype, block):
        """The solver of derivatives: the same iteration, with the preconditioner's adjoint."""
        M = self.wanted.preconditioner
        if M is None or isinstance(M, str) or block.items:
            return self.plain(preconditioner=None, atol=None).handle(dtype)(None)

        def solve_with(preconditioner):
            problem = self.plain(preconditioner=preconditioner, atol=None)
            return lambda A, b: block.fold(problem.by_matrix(A, block.unfold(b))[0])

        # A function is its own adjoint for Hermitian A; otherwise it may slow the adjoint down.
        adjoint = M
        if is_tensor_or_matrix(M) and not self.hermitian:
            adjoint = Matrix.of(M).mH if is_sparse(M) else M.mH
        user = UserSolve(
            solve_with(M), solve_with(adjoint), {}, pattern, False, takes_A=False, is_ours=True
        )
        return user.handle_maker("warn", rtol=0)(None)

    # A closure: asked for products.

    def by_closure(self, closure, B):
        product = _Product(closure, _Block(B), vectors=self.vectors)
        if transforming():
            # Asked for out here: within, transforms do not show.
            _refuse_derivatives(product.of_zeros(B))
            if is_wrapped(B):
                self._refuse_telling()
            shifts = [None] if self.shifts is None else self.shifts
            each = [self._attached(closure, B, None, shift) for shift in shifts]
            solution = None if self.criteria is None else self._iterate(product, B.detach())[1]
            return each[0] if self.shifts is None else torch.stack(each), solution
        product.checks_gradient = torch.is_grad_enabled()
        differentiable = torch.is_grad_enabled() and B.requires_grad
        if differentiable:
            self._check_hermitian()
        x, solution = self._iterate(product, B)
        if not differentiable:
            return x, solution
        if self.shifts is None:
            return self._attached(closure, B, x), solution
        each = [self._attached(closure, B, *pair) for pair in zip(x, self.shifts, strict=True)]
        return torch.stack(each), solution

    def _check_hermitian(self):
        if not self.hermitian:
            raise RuntimeError(
                f"the gradient of {self.method} takes products with the adjoint of A, which a "
                "closure does not give: pass the matrix, or detach rhs"
            )

    def _attached(self, closure, B, x, shift=None):
        """x with the derivatives of a solve: on a pattern without entries, for A is not known.

        x None: solved for here.
        """
        block, n = _Block(B), B.shape[-2]
        problem = self.plain()
        problem.shifts, problem.value = None if shift is None else [shift], self.value
        product = _Product(closure, block, vectors=self.vectors)

        def solve(mode, item, values, b, x):  # in every mode: A is its own adjoint
            if mode != 0:
                self._check_hermitian()
            y = problem._iterate(product, block.unfold(b))[0]
            x.copy_(block.fold(y.reshape(block.shape)))

        # Ignored here: the iteration within tells how it ended.
        callables = Callables(solve=solve)
        handle = solver("callable", rtol=0, on_fail="ignore", callables=callables)
        pattern = Pattern.coo(torch.zeros(2, 0, dtype=torch.int64), (n, n), coalesced=True)
        program, values = operator_on("solve", pattern), torch.zeros(0, dtype=B.dtype)
        if x is None:
            x = program.call((pattern,), handle, values, block.fold(B))
        else:
            x = program.attach((pattern,), block.fold(x), handle, values, block.fold(B))
        return block.unfold(x)

    def _iterate(self, product, B):
        """The x and the Solution, without autograd."""
        block = _Block(B)
        b = block.fold(B.detach()).contiguous()
        shifts = self.shifts
        if shifts is None and self.value is not None:
            shifts = [0.0]
        x = b.new_zeros(*(() if shifts is None else (len(shifts),)), *b.shape)
        guess = self.wanted.x0
        if guess is not None:
            x.copy_(block.fold(guess.detach()))
        unconditioned = self.wanted._replace(preconditioner=None)
        made = handle_maker(self.method, unconditioned, b.dtype, "warn", self.text)
        handle = made(Callables(outcomes=None if self.criteria is None else []))
        columns, steps = self.lanczos
        batched = len(block.shape) > 2
        kept = 0 if columns == 0 else b.shape[1] if batched else min(columns, b.shape[1])
        ended = iterate(
            handle,
            Functions(product, precondition=self._precondition(block)),
            b,
            x,
            guess=guess is not None,
            lanczos=kept,
            shifts=None if shifts is None else [float(shift) for shift in shifts],
            factor=0.0 if self.value is None else float(self.value),
            criteria=self.criteria or Criteria(),
            fixed=not self.vectors,
        )
        if shifts is None:
            x = block.unfold(x)
        else:
            x = torch.stack([block.unfold(each) for each in x])
            x = x[0] if self.shifts is None else x
        pairs = ended.tridiagonals
        T = _tridiagonals(pairs, steps, columns, block, b.dtype) if columns else None
        return x, Solution(ended, T)

    def _precondition(self, block):
        M = self.wanted.preconditioner
        if M is None:
            return None
        if isinstance(M, str):
            raise ValueError(
                f"the preconditioner {M!r} serves plain solves with a matrix: for a closure, or "
                "where more is asked for than x, pass a matrix or a function"
            )
        check_operator(M, "preconditioner")
        if not is_tensor_or_matrix(M):
            return _Preconditioned(M, block, self.vectors)
        matrix = M.detach()
        if is_sparse(matrix) and matrix.dim() == 2:
            return lambda folded: sparse_mm(matrix, folded)
        if is_sparse(matrix):
            return _Preconditioned(lambda V: sparse_mm(matrix, V), block)
        return _Preconditioned(matrix.matmul, block)


class _Product:
    """A function on folded blocks, which it gets as blocks of columns, or vector by vector."""

    name, rule = "the closure", "matmul_closure output must match rhs"

    def __init__(self, function, block, vectors=False):
        self.function, self.block, self.vectors = function, block, vectors
        self.checks_gradient = False  # at the next call

    def __call__(self, folded):
        given = list(self._given(folded))
        results = with_gradients(self.checks_gradient, list, map(self.function, given))
        for result, each in zip(results, given, strict=True):
            self._check(result, each)
        if self.checks_gradient:
            _refuse_derivatives(results)
        self.checks_gradient = False
        if self.vectors:
            return torch.stack(results, 1)
        return torch.cat([self.block.fold(result) for result in results], 1)

    def _given(self, folded):
        if self.vectors:
            return (column.contiguous() for column in folded.unbind(1))
        width = self.block.shape.numel() // max(self.block.shape[-2], 1)
        # Several blocks of columns, of shifts: one after the other.
        parts_ = folded.split(width, 1) if folded.shape[1] > width else [folded]
        return map(self.block.unfold, parts_)

    def _check(self, result, given):
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"{self.name} must return a tensor, not {type(result).__name__}")
        lost = result.is_complex() and not given.is_complex()  # refused where it arrives
        like = (result.shape, result.device, given.dtype if lost else result.dtype)
        if like != (given.shape, given.device, given.dtype):
            raise RuntimeError(
                f"{self.rule} shape, device, and dtype: it has shape {tuple(result.shape)} and "
                f"dtype {result.dtype} on {result.device}, not shape {tuple(given.shape)} and "
                f"dtype {given.dtype} on {given.device}"
            )

    def of_zeros(self, B):
        """What the function makes of zeros in the place of B."""
        zeros = torch.zeros(B.shape[-2] if self.vectors else B.shape, dtype=B.dtype)
        return [self.function(zeros)]


class _Preconditioned(_Product):
    name, rule = "the preconditioner", "preconditioner output must match residual"


def _refuse_derivatives(products):
    """Raises for products of a closure that autograd, forward mode or a transform follows."""
    for product in products:
        dual = forward_ad._current_level >= 0 and forward_ad.unpack_dual(product).tangent
        if product.requires_grad or torch.is_tensor(dual) or is_mapped(product):
            raise RuntimeError(
                "the closure multiplies by tensors that require grad, and no gradient goes "
                "through a closure: pass the matrix itself, or call under torch.no_grad()"
            )


def _tridiagonals(pairs, steps, columns, block, dtype):
    """(columns, ..., r, r); ones on the diagonal after the last step of a column."""
    most = min(steps, max((len(diagonal) for diagonal, _ in pairs), default=0))
    T = torch.eye(most, dtype=torch.float64).repeat(len(pairs), 1, 1)
    for matrix, (diagonal, beside) in zip(T, pairs, strict=True):
        r = min(most, len(diagonal))
        matrix.diagonal()[:r] = torch.tensor(diagonal[:r], dtype=torch.float64)
        off = torch.tensor(beside[: max(r - 1, 0)], dtype=torch.float64)
        matrix.diagonal(1)[: off.numel()] = off
        matrix.diagonal(-1)[: off.numel()] = off
    batch = block.shape[:-2]
    if batch:
        T = T.view(*batch, block.shape[-1], most, most).movedim(len(batch), 0)
    real = dtype.to_real() if dtype.is_complex else dtype
    return T[:columns].to(real)
