"""Krylov methods for matrices and closures: what the functions of tsgu.utils have in common."""

import torch
from torch._C._functorch import is_batchedtensor as is_mapped
from torch.autograd import forward_ad

from ._callbacks import Callables
from ._iteration import Functions, iterate
from ._linear_solve import (
    check_on_cpu,
    dense_parts,
    handle_maker,
    is_sparse,
    program_for,
    run,
    transforming,
    with_shift,
)
from ._methods import default_tolerance
from ._pattern import Pattern
from ._solver import solver
from ._tensors import parts
from ._user_solve import UserSolve
from .sparse_matmul import sparse_mm


def check_operator(operator, name):
    """Raises RuntimeError for what is neither a matrix nor a function."""
    if not isinstance(operator, torch.Tensor) and not callable(operator):
        raise RuntimeError(f"{name} must be a tensor, or a callable object!")


def matrix_of(operator):
    """The matrix that an operator is or multiplies by, None for a closure."""
    if isinstance(operator, torch.Tensor):
        return operator
    owner = getattr(operator, "__self__", None)
    if isinstance(owner, torch.Tensor) and operator.__name__ in ("matmul", "mm", "__matmul__"):
        return owner
    return None


def _refuse_nonfinite(text):
    """The text of warnings; raises for a solve (not of a gradient) that met NaN or infinity."""

    def describe(outcome):
        if outcome.mode == 0 and "not finite" in outcome.reasons:
            raise RuntimeError(
                "NaNs or infinities encountered in matrix-vector products or the right-hand side. "
                + outcome.explanation
            )
        return outcome.explanation if text is None else text(outcome)

    return describe


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
):
    """The solution of A x = rhs, with lanczos = (columns, steps > 0) also the Lanczos matrices.

    With shifts (s,) the solutions (s, ...) of (value A + shifts[k] I) x = rhs.
    """
    if not isinstance(rhs, torch.Tensor) or rhs.dim() == 0:
        raise RuntimeError("rhs must be a tensor of shape (n,), (n, k) or (..., n, k)")
    check_on_cpu(rhs)
    vector = rhs.dim() == 1
    B = rhs.unsqueeze(-1) if vector else rhs
    if wanted.x0 is not None:
        guess = wanted.x0.unsqueeze(-1) if wanted.x0.dim() == 1 else wanted.x0
        wanted = wanted._replace(x0=guess.expand(B.shape))
    problem = _Problem(method, wanted, _refuse_nonfinite(text), shifts, value)
    A = matrix_of(operator)
    if A is None:
        x, tridiagonals = problem.by_closure(operator, B, lanczos)
    else:
        x, tridiagonals = problem.by_matrix(A, B, lanczos)
    x = x.squeeze(-1) if vector else x
    if not lanczos[0]:
        return x
    if vector:
        tridiagonals = tridiagonals[:1]
    return x, tridiagonals


class _Block:
    """(..., n, k) as the columns of (n, columns), or with matrices of a batch, (items, n, k)."""

    def __init__(self, B, items=()):
        self.shape, self.items = B.shape, items
        if items:
            self.shape = torch.Size((*items, *B.shape[-2:]))

    def fold(self, B):
        if self.items:
            return B.expand(self.shape).flatten(0, -3)
        return B.movedim(-2, 0).flatten(1)

    def unfold(self, folded):
        if self.items:
            return folded.reshape(self.shape)
        *batch, n, columns = self.shape
        return folded.reshape(n, *batch, columns).movedim(0, -2)


class _Problem:
    """What a call asks for, but for A and B."""

    def __init__(self, method, wanted, text, shifts, value):
        self.method, self.wanted, self.text = method, wanted, text
        self.shifts, self.value = shifts, value

    @property
    def hermitian(self):
        return self.method in ("cg", "minres")

    def handle(self, dtype, wanted=None):
        return handle_maker(self.method, wanted or self.wanted, dtype, "warn", self.text)

    # A matrix: the program of solves, which knows its derivatives.

    def by_matrix(self, A, B, lanczos):
        if A.dim() < 2 or A.shape[-1] != A.shape[-2] or A.shape[-1] != B.shape[-2]:
            raise RuntimeError(
                f"Size mismatch: the matrix has shape {tuple(A.shape)}, rhs {tuple(B.shape)}"
            )
        items = A.shape[:-2]
        if is_sparse(A):
            pattern, values = parts(A)
        else:
            pattern, values = dense_parts(A.flatten(0, -3) if items else A)
        block = _Block(B, items)
        if self.shifts is None and self.value is None:
            return self._by_program(A, pattern, values, B, block, lanczos)
        results = []
        for shift in [0.0] if self.shifts is None else self.shifts:
            shifted = with_shift(pattern, values, self.value, shift)
            results.append(self._by_program(A, *shifted, B, block, lanczos)[0])
        return results[0] if self.shifts is None else torch.stack(results), None

    def _by_program(self, A, pattern, values, B, block, lanczos):
        named = self.wanted.preconditioner is None or isinstance(self.wanted.preconditioner, str)
        guess = None if self.wanted.x0 is None else block.fold(self.wanted.x0)
        if named and not lanczos[0]:
            x, _ = run(pattern, values, block.fold(B), self.handle(values.dtype), guess=guess)
            return block.unfold(x), None

        # Iterated from here; the gradients are those of the solve.
        plain = values.detach()

        def multiply(V):
            program = program_for(pattern, "spmm")
            return block.unfold(program.call((pattern,), plain, block.fold(V)))

        B = B.expand(block.shape)
        with torch.no_grad():
            x, tridiagonals = self._iterate(multiply, B.detach(), lanczos)
        handle = self._handle_of_gradients(pattern, values.dtype, block)
        x = program_for(pattern).attach((pattern,), block.fold(x), handle, values, block.fold(B))
        return block.unfold(x), tridiagonals

    def _handle_of_gradients(self, pattern, dtype, block):
        """The solver of derivatives: the same iteration, with the preconditioner's adjoint."""
        M = self.wanted.preconditioner
        if M is None or isinstance(M, str) or block.items:
            return self.handle(dtype, self.wanted._replace(preconditioner=None))(None)

        def solve_with(preconditioner):
            wanted = self.wanted._replace(x0=None, preconditioner=preconditioner)
            problem = _Problem(self.method, wanted, self.text, None, None)
            return lambda A, b: block.fold(problem.by_matrix(A, block.unfold(b), (0, 0))[0])

        # A function is its own adjoint for Hermitian A; otherwise it may slow the adjoint down.
        adjoint = M
        if isinstance(M, torch.Tensor) and not self.hermitian:
            adjoint = M.to_sparse_coo().mH if is_sparse(M) else M.mH
        user = UserSolve(
            solve_with(M), solve_with(adjoint), {}, pattern, False, takes_A=False, is_ours=True
        )
        return user.handle_maker("warn", rtol=0)(None)

    # A closure: asked for products.

    def by_closure(self, closure, B, lanczos):
        if transforming():
            # Asked for out here: within, transforms do not show.
            _refuse_derivatives([closure(torch.zeros(B.shape, dtype=B.dtype))])
            each = [self._attached(closure, B, None, shift) for shift in self.shifts or [None]]
            kept = self._iterate(closure, B.detach(), lanczos)[1] if lanczos[0] else None
            return each[0] if self.shifts is None else torch.stack(each), kept
        checks_gradient = torch.is_grad_enabled()
        differentiable = checks_gradient and B.requires_grad
        if differentiable:
            self._check_hermitian()
        x, tridiagonals = self._iterate(closure, B, lanczos, checks_gradient)
        if not differentiable:
            return x, tridiagonals
        if self.shifts is None:
            return self._attached(closure, B, x), tridiagonals
        each = [self._attached(closure, B, *pair) for pair in zip(x, self.shifts, strict=True)]
        return torch.stack(each), tridiagonals

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
        wanted = self.wanted._replace(x0=None)
        shifts = None if shift is None else [shift]
        problem = _Problem(self.method, wanted, self.text, shifts, self.value)

        def solve(mode, item, values, b, x):  # in every mode: A is its own adjoint
            if mode != 0:
                self._check_hermitian()
            y = problem._iterate(closure, block.unfold(b))[0]
            x.copy_(block.fold(y.reshape(block.shape)))

        # Ignored here: the iteration within tells how it ended.
        callables = Callables(solve=solve)
        handle = solver("callable", rtol=0, on_fail="ignore", callables=callables)
        pattern = Pattern.coo(torch.zeros(2, 0, dtype=torch.int64), (n, n), coalesced=True)
        program, values = program_for(pattern), torch.zeros(0, dtype=B.dtype)
        if x is None:
            x = program.call((pattern,), handle, values, block.fold(B))
        else:
            x = program.attach((pattern,), block.fold(x), handle, values, block.fold(B))
        return block.unfold(x)

    def _iterate(self, closure, B, lanczos=(0, 0), checks_gradient=False):
        """The solution and the Lanczos matrices, without autograd."""
        block = _Block(B)
        b = block.fold(B.detach()).contiguous()
        shifts = self.shifts
        if shifts is None and self.value is not None:
            shifts = [0.0]
        x = b.new_zeros(*(() if shifts is None else (len(shifts),)), *b.shape)
        guess = self.wanted.x0
        if guess is not None:
            x.copy_(block.fold(guess.detach()))
        wanted = self.wanted._replace(preconditioner=None)
        handle = self.handle(b.dtype, wanted)(Callables())
        functions = Functions(
            _product(closure, block, checks_gradient),
            precondition=_precondition(self.wanted.preconditioner, block),
        )
        columns, steps = lanczos
        batched = len(block.shape) > 2
        kept = 0 if columns == 0 else b.shape[1] if batched else min(columns, b.shape[1])
        outcome, pairs = iterate(
            handle,
            functions,
            b,
            x,
            guess=guess is not None,
            lanczos=kept,
            shifts=None if shifts is None else [float(shift) for shift in shifts],
            factor=0.0 if self.value is None else float(self.value),
        )
        if shifts is None:
            x = block.unfold(x)
        else:
            x = torch.stack([block.unfold(each) for each in x])
            x = x[0] if self.shifts is None else x
        return x, _tridiagonals(pairs, steps, columns, block, b.dtype) if columns else None


def _product(closure, block, checks_gradient=False):
    """`closure` on folded blocks; with several blocks of columns, on one after the other."""
    width = block.shape.numel() // max(block.shape[-2], 1)

    def multiply(folded):
        nonlocal checks_gradient
        parts_ = folded.split(width, 1) if folded.shape[1] != width else [folded]
        with torch.set_grad_enabled(checks_gradient):
            results = [closure(block.unfold(part)) for part in parts_]
            if checks_gradient:
                _refuse_derivatives(results)
        checks_gradient = False
        for result in results:
            if result.shape != block.shape:
                raise RuntimeError(
                    f"the closure turned shape {tuple(block.shape)} into {tuple(result.shape)}"
                )
        return torch.cat([block.fold(result) for result in results], 1)

    return multiply


def _refuse_derivatives(products):
    """Raises for products of a closure that autograd, forward mode or a transform follows."""
    for product in products:
        dual = forward_ad._current_level >= 0 and forward_ad.unpack_dual(product).tangent
        if product.requires_grad or torch.is_tensor(dual) or is_mapped(product):
            raise RuntimeError(
                "the closure multiplies by tensors that require grad, and no gradient goes "
                "through a closure: pass the matrix itself, or call under torch.no_grad()"
            )


def _precondition(preconditioner, block):
    if preconditioner is None:
        return None
    if isinstance(preconditioner, str):
        raise ValueError(
            f"the preconditioner {preconditioner!r} is made from a matrix, and A is a closure: "
            "pass a matrix or a function"
        )
    check_operator(preconditioner, "preconditioner")
    if not isinstance(preconditioner, torch.Tensor):
        return _product(preconditioner, block)
    matrix = preconditioner.detach()
    if is_sparse(matrix) and matrix.dim() == 2:
        return lambda folded: sparse_mm(matrix, folded)
    return _product(matrix.matmul, block)


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


def least_squares(A, b, adjoint, n, damp, tolerance, maxiter, x0):
    """(x, iterations) of lsmr."""
    vector = b.squeeze()
    if vector.dim() > 1:
        raise RuntimeError(f"b must be a vector, and has shape {tuple(b.shape)}")
    check_on_cpu(vector)
    B = vector.reshape(-1, 1)
    guess = None if x0 is None else x0.reshape(-1, 1)
    rtol = min(tolerance, default_tolerance(B.dtype))
    if callable(A):
        return _least_squares_of_closures(A, adjoint, B, n, damp, rtol, maxiter, guess)
    pattern, values = parts(A) if is_sparse(A) else dense_parts(A)

    def make(callables):
        return solver("lsmr", damp=damp, rtol=rtol, maxiter=maxiter, callables=callables)

    wide = pattern.shape[-2] < pattern.shape[-1]
    name = "least_squares_row" if wide else "least_squares"
    options = {"name": name, "guess": guess, "nearest": wide and damp == 0}
    x, info = run(pattern, values, B, make, wants_info=True, **options)
    return x.squeeze(1), int(info.iterations.max()) if info.iterations.numel() else 0


def _least_squares_of_closures(A, adjoint, B, n, damp, rtol, maxiter, guess):
    if B.requires_grad and torch.is_grad_enabled():
        raise RuntimeError("no gradient goes through closures: pass the matrix, or detach b")
    x = B.new_zeros(n, 1) if guess is None else guess.detach().to(B.dtype).clone()
    handle = solver("lsmr", damp=damp, rtol=rtol, maxiter=maxiter)
    multiply = adjoint.matmul if isinstance(adjoint, torch.Tensor) else adjoint

    def columnwise(function):
        return lambda folded: function(folded.squeeze(1)).reshape(-1, 1)

    functions = Functions(columnwise(A), columnwise(multiply))
    with torch.no_grad():
        b = B.detach().contiguous()
        outcome, _ = iterate(handle, functions, b, x, guess=guess is not None)
    return x.squeeze(1), int(outcome.iterations.max()) if outcome.iterations.numel() else 0
