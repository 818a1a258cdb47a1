"""Programs: what they take and give, and running them on dense components."""

import functools
import json
import re
from typing import Any, NamedTuple

import torch

from .._patterns.pattern import CSR, TRANSPOSED
from .._runtime import callbacks, library
from .._runtime.lazy import lazy
from . import prepared

_RUN = {k: getattr(torch.ops.tsgu, f"run{k}").default._op for k in (1, 2, 3, 4, 5)}
_RUN_FORM = {k: getattr(torch.ops.tsgu, f"run_form{k}").default._op for k in (1, 2, 3, 4, 5)}
_RUN_BOTH = {k: getattr(torch.ops.tsgu, f"run_both{k}").default._op for k in (3, 4, 5)}
_RUN_FORM_BOTH = {k: getattr(torch.ops.tsgu, f"run_form_both{k}").default._op for k in (3, 4, 5)}
_RUN_ANY = torch.ops.tsgu.run.default._op


class TensorInfo(NamedTuple):
    """An operand or the result; a sparse one is passed as its values."""

    name: str
    pattern: int  # -1: dense
    shape: tuple[str, ...]  # names of the sizes of the logical dimensions
    read: bool  # False: only its shape matters
    result_of: int  # >= 0: holds the result of the program so many derivations up, plus one
    solver: bool  # a handle made by tsgu.solver, not a tensor of values

    @property
    def rank(self) -> int:
        """Dimensions of the tensor that is passed, without a batch of values."""
        return 1 if self.pattern >= 0 or self.solver else len(self.shape)


class Signature(NamedTuple):
    """What a program takes and gives."""

    patterns: tuple[tuple[str, int], ...]  # (name, rank) of each
    operands: tuple[TensorInfo, ...]  # TensorInfo of each
    result: TensorInfo

    def __str__(self) -> str:
        """As "(A: sparse (s0, s1) on A, B: dense (s1, s2)) -> dense (s0, s2)"."""

        def described(info):
            if info.solver:
                return "solver"
            shape = f"({', '.join(info.shape)})"
            if info.pattern < 0:
                return f"dense {shape}"
            return f"sparse {shape} on {self.patterns[info.pattern][0]}"

        operands = [f"{info.name}: {described(info)}" for info in self.operands]
        return f"({', '.join(operands)}) -> {described(self.result)}"

    @staticmethod
    def parse(description: dict[str, Any]) -> "Signature":
        names = [pattern["name"] for pattern in description["patterns"]]

        def tensor(info):
            return TensorInfo(
                info["name"],
                -1 if info["pattern"] is None else names.index(info["pattern"]),
                tuple(info["shape"]),
                info["read"],
                -1 if info["result_of"] is None else info["result_of"],
                info.get("solver", False),
            )

        return Signature(
            tuple((pattern["name"], pattern["rank"]) for pattern in description["patterns"]),
            tuple(map(tensor, description["operands"])),
            tensor(description["result"]),
        )


@functools.cache
def library_signatures():
    """path -> Signature of the library's programs, written when tsgu was built."""
    path = library.directory / "programs.json"
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ImportError(f"{path} is missing: build the checkout with 'make'") from None
    return {entry["path"]: Signature.parse(entry) for entry in json.loads(text)}


class Program:
    """A program of the library, one added, or one derived from them, by its path.

    Opened at first use: a program of the library needs no compiler before it runs.
    """

    def __init__(self, path):
        self.path = path
        self.signature = library_signatures().get(path)
        if self.signature is None:
            self.signature = self._open()[1]

    def _open(self):
        handle, text = library.open_program(self.path)
        return handle, Signature.parse(json.loads(text))

    @property
    def sums_repeated(self):
        """Whether entries that name one element may be summed: not with a sparse result."""
        base = "/".join(step for step in self.path.split("/") if step[:3] not in ("vjp", "jvp"))
        return program(base).signature.result.pattern < 0

    @lazy
    def number(self):
        """The number under which the plugin's operators run this program."""
        handle, signature = self._open()
        return library.register_program(
            handle,
            len(signature.patterns),
            [(operand.pattern, operand.read, operand.solver) for operand in signature.operands],
            signature.result.pattern,
            self.sums_repeated,
        )

    @property
    def solves(self):
        return any(operand.solver for operand in self.signature.operands)

    @lazy
    def transpose(self):
        """Runs this program on the matrix whose transpose it is given.

        Both matrices then have one pattern, and values stay in the order in which they are stored.
        """
        return program(f"{self.path}/transpose")

    @lazy
    def run(self):
        """`run(patterns, *operands)`: the result, without autograd.

        Raises what the plugin reports: PatternError, ValueError, TypeError, CompileError.
        """
        arity = len(self.signature.operands)
        if len(self.signature.patterns) == 1 and arity in _RUN:
            run = _bind(self, _RUN[arity], _RUN_FORM[arity])
        else:
            run = _bind_any(self)
        if self.solves:
            return callbacks.watch(prepared.saying(run, self.signature))
        return run

    @lazy
    def run_csr(self):
        """As `run`, on a CSR matrix: `run(positions, coordinates, columns, version, *operands)`.

        None for a program of several patterns, or more operands than have an operator of their own.
        """
        arity = len(self.signature.operands)
        if len(self.signature.patterns) != 1 or arity not in _RUN:
            return None
        number, run_csr = self.number, _RUN[arity]

        def run(positions, coordinates, columns, version, *operands):
            try:
                return run_csr(number, positions, coordinates, columns, version, *operands)
            except (ValueError, RuntimeError) as error:
                raise _reported(self, operands, error) from None

        return callbacks.watch(run) if self.solves else run


def _reported(program, operands, error):
    """The exception for a run that failed, in the names of the operands, which the plugin counts.

    For dtypes that do not fit together it says what to write.
    """
    error, infos = library.translate(error), program.signature.operands
    if isinstance(error, TypeError):
        typed = [
            (info.name, operand.dtype)
            for info, operand in zip(infos, operands, strict=True)
            if info.read and not info.solver
        ]
        for name, dtype in typed:
            first, expected = typed[0]
            if dtype != expected:
                if dtype.is_complex and not expected.is_complex:
                    name, dtype, first, expected = first, expected, name, dtype
                return TypeError(
                    f"{program.path} takes operands of one dtype, and {name} has {dtype} where "
                    f"{first} has {expected}: write {name}.to({expected})"
                )
    text = re.sub(
        r"\boperand (\d+)", lambda found: f"operand {infos[int(found[1])].name}", str(error)
    )
    return error if text == str(error) else type(error)(text)


def _bind(program, run_csr, run_form):
    number, may_turn = program.number, not program.solves

    def run(patterns, *operands):
        (pattern,) = patterns
        form = pattern.form
        try:
            if form == CSR:
                return run_csr(
                    number,
                    pattern.positions,
                    pattern.coordinates,
                    pattern.columns,
                    pattern.version(),
                    *operands,
                )
            of = number
            if form & TRANSPOSED and may_turn:
                form, of = form ^ TRANSPOSED, program.transpose.number
            indices = pattern.positions, pattern.coordinates, form
            return run_form(of, *indices, *pattern.numbers()[1:], *operands)
        except (ValueError, RuntimeError) as error:
            raise _reported(program, operands, error) from None

    return run


def run_gradients(programs, operands, count):
    """`run(pattern, version, given, cotangent)`: what a node of so many operands returns.

    The results of one or two programs, for these operands; given: what they read beside the
    cotangent. None where there is no such operator: for more programs or operands, several
    patterns, and solves, which are watched.
    """
    arity = len(programs[0].signature.operands)
    one_pattern = len(programs[0].signature.patterns) == 1
    if len(programs) > 2 or not one_pattern or programs[0].solves or arity not in _RUN_BOTH:
        return None
    csr, forms = (_RUN, _RUN_FORM) if len(programs) == 1 else (_RUN_BOTH, _RUN_FORM_BOTH)
    run_csr, run_form = csr[arity], forms[arity]
    numbers = [program.number for program in programs]
    places = [k + 1 for k in operands]
    blank = [None] * (1 + count)

    def run(pattern, version, given, cotangent):
        given = given[: arity - 1]  # others are there to be unwritten
        form = pattern.form
        try:
            if form == CSR:
                found = run_csr(
                    *numbers,
                    pattern.positions,
                    pattern.coordinates,
                    pattern.columns,
                    version,
                    *given,
                    cotangent,
                )
            else:
                of = numbers
                if form & TRANSPOSED:
                    form, of = form ^ TRANSPOSED, [program.transpose.number for program in programs]
                indices = pattern.positions, pattern.coordinates, form
                sizes = pattern.items, pattern.rows, pattern.columns, version
                found = run_form(*of, *indices, *sizes, *given, cotangent)
        except (ValueError, RuntimeError) as error:
            raise _reported(programs[0], [*given, cotangent], error) from None
        gradients = blank.copy()
        if len(places) == 1:
            gradients[places[0]] = found
        else:
            gradients[places[0]], gradients[places[1]] = found
        return gradients

    return run


def _bind_any(program):
    number = program.number

    def run(patterns, *operands):
        indices, numbers = [], []
        for pattern in patterns:
            indices += (pattern.positions, pattern.coordinates)
            numbers += pattern.numbers()
        try:
            return _RUN_ANY(number, indices, numbers, operands)
        except (ValueError, RuntimeError) as error:
            raise _reported(program, operands, error) from None

    return run


@functools.cache
def program(path):
    """The one Program of a path. Raises CompileError where there is none."""
    return Program(path)
