"""The one family of autograd Functions that gives every program its gradients.

Forward runs a program; backward runs the cotangent programs derived from it, and forward mode
the tangent programs, through the same family: so derivatives of every order are programs too.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

import torch
from torch.autograd import forward_ad

from .._patterns.layouts import as_tensor, is_sparse
from .._patterns.pattern import Pattern, version_of
from .._patterns.tensors import parts, shared_values
from .._runtime.lazy import lazy
from .._runtime.library import CompileError
from .._typing import SparseMatrix
from .functions import attach_function, eager_function, transform_function, whole_function
from .prepared import LARGE
from .program import program, run_gradients

_transforms_active = torch._C._are_functorch_transforms_active
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_compiling = torch.compiler.is_compiling
_is_grad_enabled = torch.is_grad_enabled
_CSR = torch.sparse_csr


def _primal(operand):
    """`operand` without its tangent of the innermost level (torch's levels are all number 0)."""
    if operand.dtype == torch.int64:
        return operand
    return forward_ad.unpack_dual(operand, level=0).primal


class _Step(NamedTuple):
    """The computation of one operand's cotangent."""

    operand: int
    derived: "Operator"
    takes_result: bool
    given: tuple[int, ...] = ()  # operands whose cotangents, computed before, it reads


class _Plan:
    """What backward does for one choice of operands that need a gradient."""

    def __init__(self, operator, needs):
        wanted = [k for k, needed in enumerate(needs) if needed and operator.depends_on(k)]
        self.steps, self.refusal = [], None
        for k in reversed(wanted):
            try:
                self.steps.append(operator.cotangent(k, [step.operand for step in self.steps]))
            except CompileError as error:
                # Who differentiates a derivative may have no use for the next one.
                if not operator._is_derivative:
                    raise
                self.refusal = str(error)
                self.steps = [_Step(k, operator, False)]
                break
        self.takes_result = any(step.takes_result for step in self.steps)
        self.saved = [
            k
            for k in range(len(needs))
            if self.steps
            and (
                operator.signature.operands[k].solver
                or any(step.derived.depends_on(k) for step in self.steps)
            )
        ]
        self.unsaved = [k for k in range(len(needs)) if k not in self.saved]
        self.reads_all = not self.unsaved
        self.nothing = (None,) * (1 + len(needs))
        self.rank = operator.signature.result.rank  # more: of a batch of values

    def gradients(self, run, operands, result, cotangent):
        """The gradients of all operands or None, where `run(derived, *operands)` runs a program."""
        if self.refusal is not None:
            raise CompileError(self.refusal)
        computed, gradients = {}, [None] * len(operands)
        for k, derived, takes_result, given in self.steps:
            held = [computed[other].detach() for other in given]
            extra = (result,) if takes_result else ()
            gradient = computed[k] = run(derived, *operands, *extra, cotangent, *held)
            gradients[k] = _summed(gradient, operands[k])
        return gradients

    @lazy
    def fast(self):
        """`run(pattern, version, operands, cotangent)`: what a node returns, without autograd.

        operands: and the result, if it is read. None where it takes more than a call.
        """
        if self.refusal is not None or any(step.given for step in self.steps):
            return None
        if self.takes_result and self.unsaved:
            return None
        if len({step.takes_result for step in self.steps}) != 1:
            return None
        return run_gradients(
            [step.derived.program for step in self.steps],
            [step.operand for step in self.steps],
            len(self.nothing) - 1,
        )


def _summed(gradient, operand):
    """The gradient of an operand; one shared by a batch of values has the sum of theirs."""
    return gradient.sum(0) if gradient.dim() > operand.dim() else gradient


class Operator:
    """A program as a differentiable function of values.

    `operator(pattern, *operands)` takes one `tsgu.Pattern` for each pattern of the program, then
    its operands: a sparse one as its values, (entries,), a dense one as it is, a solver as the
    handle that `tsgu.solver` makes; all values float32, float64, complex64 or complex128, or
    (without solvers) float16 or bfloat16, which are summed in float32 and rounded once; all on the
    CPU, or (real ones, without solvers) all on one CUDA device. Every operand but a solver may
    carry one more leading dimension, a batch of values on the same pattern; the result then carries
    it too. Gradients of complex operands are conjugated, as torch's are. Differentiable in every
    operand, to every order, in reverse and forward mode, and under torch.func transforms and
    torch.compile.

    `operator(*operands)` takes matrices instead of patterns and values: a tsgu.Matrix, a sparse
    tensor of torch or an array of SciPy for each sparse operand. A sparse result is of the kind
    that was given. For batches the program's batched form runs.

    Raises PatternError for corrupt index tensors, ValueError for shapes that do not fit,
    TypeError for other dtypes, devices and layouts.
    """

    def __init__(self, path: str) -> None:
        self.program = program(path)
        self.path = path
        self.signature = self.program.signature
        self.solvers = [k for k, info in enumerate(self.signature.operands) if info.solver]
        self.plans = {}
        self._count = len(self.signature.patterns)
        self._derivatives = {}
        self.call, self.on = self._make_calls()

    @overload
    def __call__(self, pattern: Pattern, /, *operands: Pattern | torch.Tensor) -> torch.Tensor: ...

    @overload
    def __call__(self, /, *operands: SparseMatrix) -> Any: ...  # a tensor, or as A a Matrix

    def __call__(self, *arguments: Any) -> Any:
        count = self._count
        if count and len(arguments) == len(self.signature.operands):
            return self._of_matrices(arguments)
        if _is_compiling():
            self._check(arguments)
            return self.call(arguments[:count], *arguments[count:])
        try:
            return self.call(arguments[:count], *arguments[count:])
        except Exception:
            self._check(arguments)  # Only now: the common case need not pay for it.
            raise

    def _of_matrices(self, arguments):
        """The same of matrices, from which patterns and values are taken."""
        from .._matrices.kinds import is_tensor_or_matrix, matrix_of

        operands, found = [*arguments], {}  # pattern -> (operand's name, matrix, its pattern)
        for k, info in enumerate(self.signature.operands):
            if info.pattern < 0:
                continue
            A = as_tensor(arguments[k])
            if not is_tensor_or_matrix(A) or not is_sparse(A):
                self._check(arguments)
            # The values of a Matrix may be a batch.
            known = parts(A) if isinstance(A, torch.Tensor) else (A.pattern, A.values)
            pattern, operands[k] = known
            name, _, other = found.setdefault(info.pattern, (info.name, A, pattern))
            if pattern != other:
                raise ValueError(
                    f"{name} and {info.name} of {self.path} lie on one pattern, and these on two "
                    f"that are not the same, {other} and {pattern}"
                )
        patterns = tuple(found[number][2] for number in range(self._count))
        program = self if patterns[0].items == -1 else self.batch
        values, number = program.call(patterns, *operands), self.signature.result.pattern
        if number < 0:
            return values
        return matrix_of(patterns[number], values, like=found[number][1])

    def _check(self, arguments):
        """Raises TypeError for arguments that are none of the program's."""
        count = len(self.signature.patterns)
        if len(arguments) != count + len(self.signature.operands):
            names = [name for name, _ in self.signature.patterns]
            names = [f"pattern {name}" for name in names]
            names += [operand.name for operand in self.signature.operands]
            raise TypeError(f"{self.path} takes {', '.join(names)}; {len(arguments)} given")
        for pattern in arguments[:count]:
            if not isinstance(pattern, Pattern):
                raise TypeError(f"{self.path} takes a tsgu.Pattern first, not {type(pattern)}")
        for operand in arguments[count:]:
            if not isinstance(operand, torch.Tensor):
                raise TypeError(f"the operands of {self.path} are tensors, not {type(operand)}")

    def __reduce__(self) -> tuple[Any, ...]:
        from . import user_programs

        text = user_programs.text_of(self.path)
        return (
            (operator, (self.path,))
            if text is None
            else (user_programs.restored, (self.path, text))
        )

    def __repr__(self) -> str:
        operands = ", ".join(operand.name for operand in self.signature.operands)
        return f"<tsgu operator {self.path}({operands})>"

    def depends_on(self, k: int) -> bool:
        """Whether the result depends on operand k, itself or through a result that is read."""
        operands = self.signature.operands
        if operands[k].result_of >= 0:
            return operands[k].read
        return operands[k].read or any(
            later.result_of >= 0 and later.read for later in operands[k + 1 :]
        )

    def is_independent(self, k: int) -> bool:
        """Whether operand k has derivatives of its own: results and solvers have not."""
        operand = self.signature.operands[k]
        return operand.result_of < 0 and not operand.solver and self.depends_on(k)

    @property
    def _is_derivative(self):
        return any(step.startswith(("vjp", "jvp")) for step in self.path.split("/"))

    @lazy
    def refused(self) -> dict[str, str]:
        """{name: why} of the operands by which the program cannot be differentiated."""
        reasons = {}
        for k, info in enumerate(self.signature.operands):
            if not self.is_independent(k):
                continue
            try:
                operator(f"{self.path}/vjp{k}")
            except CompileError as error:
                reasons[info.name] = str(error).rpartition("cannot be derived: ")[2]
        return reasons

    def cotangent(self, k: int, computed: Sequence[int] = ()) -> _Step:
        """How operand k's cotangent is computed after those of the operands `computed`."""
        if self.solvers and computed:
            # An adjoint solve is dear: what an earlier one gave is read.
            operands = self._cotangent_given(k, computed).signature.operands
            reads = [operand.read for operand in operands[-len(computed) :]]
            given = tuple(other for other, read in zip(computed, reads, strict=True) if read)
            if given:
                return _Step(k, self._cotangent_given(k, given), True, given)
        return _Step(k, *self._derived(f"vjp{k}"))

    def _cotangent_given(self, k, given):
        return operator(f"{self.path}/vjp{k}" + "".join(f"given{other}" for other in given))

    def tangent(self, k: int) -> "tuple[Operator, bool]":
        """The operator of the result's tangent along operand k, and as above."""
        return self._derived(f"jvp{k}")

    def _derived(self, step):
        known = self._derivatives.get(step)
        if known is None:
            derived = operator(f"{self.path}/{step}")
            takes_result = len(derived.signature.operands) == len(self.signature.operands) + 2
            known = self._derivatives[step] = derived, takes_result
        return known

    def plan(self, needs: Sequence[bool], key: Any = None) -> _Plan:
        """The plan where the operands that need a gradient are so; `plans` has it by the key."""
        key = needs if key is None else key
        plan = self.plans.get(key)
        if plan is None:
            needed = tuple(need and self.is_independent(k) for k, need in enumerate(needs))
            plan = self.plans.setdefault(key, _Plan(self, needed))
        return plan

    def tangent_of(
        self,
        run: Callable[..., torch.Tensor],
        operands: Sequence[torch.Tensor],
        result: torch.Tensor,
        tangents: Sequence[torch.Tensor | None],
    ) -> torch.Tensor:
        """The result's tangent in a Function's jvp; tangents that are None are zero.

        torch runs it with forward mode off, also for the levels further out. They need it; this
        level does not, so its tangents are taken off first.
        """
        total = None
        with forward_ad._set_fwd_grad_enabled(True):
            operands = [_primal(operand) for operand in operands]
            for k, tangent in enumerate(tangents):
                if tangent is None or not self.is_independent(k):
                    continue
                derived, takes_result = self.tangent(k)
                extra = (result,) if takes_result else ()
                term = run(derived, *operands, *extra, tangent)
                total = term if total is None else total + term
            return torch.zeros_like(result) if total is None else total.expand(result.shape)

    def attach(
        self,
        patterns: Sequence[Pattern],
        result: torch.Tensor,
        *operands: torch.Tensor,
        prepared: Any = None,
    ) -> torch.Tensor:
        """`result`, which was computed in another way, with the gradients it has as this one's.

        prepared: owns what was prepared for it.
        """
        if _is_grad_enabled() and any(operand.requires_grad for operand in operands):
            return self._attach(patterns, *operands, result, prepared)
        return result

    @lazy
    def _attach(self):
        return attach_function(self)

    def _make_calls(self):
        program, node, transform = self.program, eager_function(self), transform_function(self)
        solves = program.solves
        sparse = [k for k, info in enumerate(self.signature.operands) if info.pattern >= 0]
        first = sparse[0] if sparse else 0
        whole = whole_function(self, first)

        def call(patterns, *operands):
            if _is_compiling() or _dispatch_modes():  # whose graphs want registered operators
                return _compiled(self.path, patterns, operands)
            if _transforms_active() or forward_ad._current_level >= 0:
                return transform(patterns, *operands)
            if _is_grad_enabled():
                for operand in operands:
                    if operand.requires_grad:
                        return node(patterns, *operands)
            return program.run(patterns, *operands)

        def on(A, *others):
            """`call` of a program of one matrix: A, a sparse tensor or Matrix, and other operands.

            Where A is a batch, of the program's batched form.
            """
            if (
                not isinstance(A, torch.Tensor)
                or A.layout is not _CSR
                or A.dim() != 2
                or _is_compiling()
                or _dispatch_modes()
                or _transforms_active()
                or forward_ad._current_level >= 0
            ):
                # The values of a Matrix may be a batch.
                is_tensor = isinstance(A, torch.Tensor)
                pattern, values = parts(A) if is_tensor else (A.pattern, A.values)
                operands = *others[:first], values, *others[first:]
                return (self if pattern.items == -1 else self.batch).call((pattern,), *operands)
            # The common case in as few calls as there can be.
            if _is_grad_enabled():
                if A.requires_grad and id(A) not in shared_values:
                    return whole(Pattern.of_csr(A), *others[:first], A, *others[first:])
                for operand in (A, *others):
                    if operand.requires_grad:
                        pattern, values = parts(A)
                        return node((pattern,), *others[:first], values, *others[first:])
            positions, coordinates, values = A.crow_indices(), A.col_indices(), A.values()
            rows, columns = A.shape
            if values.dim() != 1 or positions.numel() != rows + 1:
                parts(A)  # raises
            operands = (*others[:first], values, *others[first:]) if first else (values, *others)
            if solves and values.numel() >= LARGE:
                pattern = Pattern.of_csr(A)
                pattern.source = weakref.ref(A)
                return program.run((pattern,), *operands)
            version = version_of(positions, coordinates)
            return program.run_csr(positions, coordinates, columns, version, *operands)

        return call, on

    @lazy
    def batch(self) -> "Operator":
        """The same of a batch of matrices."""
        return operator(f"{self.path}/batch")


_operators: dict[str, Operator] = {}


def operator(path: str) -> Operator:
    """The operator of a program of the library, one added, or one derived from them."""
    # A dictionary, which torch.compile looks into, where it would run a cached function anew.
    known = _operators.get(path)
    return _operators.setdefault(path, Operator(path)) if known is None else known


def operator_on(path, pattern):
    """The operator of a program of one pattern, in its batched form where that is a batch."""
    return operator(path if pattern.items == -1 else f"{path}/batch")


def _compiled(path, patterns, operands):
    from . import component_ops

    return component_ops.call(path, patterns, operands)
