"""Programs by their names: those of the library, and those that users write."""

import contextlib
import difflib
import hashlib
import pathlib
import re
import threading
import warnings
from os import PathLike

from .._runtime import library
from . import autograd
from .autograd import Operator
from .program import Signature, library_signatures, program

_FUNCTION = re.compile(r"func\.func\s+@(\w+)")

_lock = threading.Lock()
_texts = {}  # name that runs -> its text
_current = {}  # name that was given -> the name that runs the newest text
_results = {}  # name that runs -> how many results its text has, where they are several


def operator(path: str) -> Operator:
    """The operator of a program by its name, or of one derived from it.

    `path` is a name that `tsgu.programs()` lists, or such a name followed by derivations:
    "spmm/vjp0" is the gradient of the product in operand 0, "spmm/jvp1" its tangent along operand
    1, "spmm/batch" the product of a batch of matrices, "spmm/batch/vjp0" the gradient of that,
    "spmm/transpose" the product with the transpose of the matrix given. Of a program with several
    results, the first derivation is one of them: "name/result1", "name/result1/vjp0".

    Raises CompileError where there is no such program, naming those that are spelt alike.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.operator("spmm")(A, torch.ones(2, 1))
    tensor([[2.],
            [4.]])
    """
    name, slash, derivations = path.partition("/")
    try:
        return autograd.operator(_current.get(name, name) + slash + derivations)
    except library.CompileError as error:
        if name in _names():
            raise
        near = " or ".join(map(repr, difflib.get_close_matches(name, _names())))
        raise library.CompileError(
            f"there is no program {name!r}{near and f', but {near}'}; tsgu.programs() lists all"
        ) from error


def _names():
    return [path for path in library_signatures() if "/" not in path] + list(_current)


def programs() -> dict[str, Signature]:
    """A dict of the programs that `tsgu.operator` knows, from name to signature.

    Those of the library, and those that `tsgu.load_program` added. `print` shows a signature;
    its fields are `patterns`, `operands` and `result`. One with several results has an entry for
    each, "name/result0" and so on.

    >>> print(tsgu.programs()["spmm"])
    (A: sparse (s0, s1) on A, B: dense (s1, s2)) -> dense (s0, s2)
    """
    return {
        name + step: program(_current.get(name, name) + step).signature
        for name in _names()
        for step in _steps(_current.get(name, name))
    }


def _steps(running):
    """What leads from a program to each of its results."""
    count = _results.get(running)
    return [""] if count is None else [f"/result{k}" for k in range(count)]


def load_program(
    path_or_text: str | PathLike[str], name: str | None = None, *, replace: bool = False
) -> Operator:
    """Adds a program and returns its operator, with gradients of every order.

    `path_or_text` is the path of an .mlir file or its text: a module with one public function
    over tensors (see lib/Programs). `name`, by default the function's, is the program's for the
    rest of the process; the same text may be loaded again. With `replace`, another text may take
    the name of one that was loaded: `tsgu.operator(name)` is then the new program's. Operators
    made before, and graphs compiled or exported with them, keep the old one.

    The operator takes a `tsgu.Pattern` for each pattern of the program, then its operands, the
    sparse ones as their values. A UserWarning names the operands that have no gradient, and why;
    `refused` of the operator has the same.

    A text is read by a child process first, once for each text: what crashes or hangs its reader
    is refused too. Raises CompileError where the program is refused, saying why, where the child's
    program, tsgu-check, is missing, or where the name is taken.
    """
    loaded = _load(path_or_text, name, replace)
    if len(loaded) > 1:
        raise library.CompileError(
            f"{loaded[0].path.split('/')[0]!r} has {len(loaded)} results: tsgu.load_programs "
            "returns an operator for each"
        )
    return loaded[0]


def load_programs(
    path_or_text: str | PathLike[str], name: str | None = None, *, replace: bool = False
) -> tuple[Operator, ...]:
    """As `tsgu.load_program`, of a program that may have several results: an operator for each.

    Each is a program of its own, with the operands of all and with what it needs of the ops, and
    has gradients, batches and kernels like any other; what two of them need is computed by both.
    `tsgu.operator` has them as "name/result0", "name/result1" and so on.
    """
    return _load(path_or_text, name, replace)


def _load(path_or_text, name, replace):
    text = str(path_or_text)
    if isinstance(path_or_text, pathlib.PurePath) or "\n" not in text:
        text = pathlib.Path(path_or_text).read_text()
    if name is None:
        function = _FUNCTION.search(text)
        if function is None:
            raise library.CompileError("the text has no 'func.func @name' to take a name from")
        name = function.group(1)
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"{name!r} is no name for a program: use letters, digits and _")
    with _lock:
        running, known = _add(name, text, replace)
    loaded = tuple(autograd.operator(running + step) for step in _steps(running))
    refused = {} if known else {k: v for each in loaded for k, v in each.refused.items()}
    for operand, reason in refused.items():
        warnings.warn(f"{name} has no gradient by {operand}: {reason}", stacklevel=3)
    return loaded


def _count_results(running):
    """Keeps how many results a program has, unless it is one."""
    try:
        program(running)
    except library.CompileError as error:
        if f"as in '{running}/result0'" not in str(error):
            raise
        count = 1
        with contextlib.suppress(library.CompileError):
            while program(f"{running}/result{count}"):
                count += 1
        _results[running] = count


def _add(name, text, replace):
    """The name under which a text runs, and whether it did so before."""
    taken = _current.get(name)
    if taken is not None and _texts[taken] == text:
        return taken, True
    if taken is not None and not replace:
        raise library.CompileError(
            f"there is a program {name!r} with another text: load this one with replace=True, "
            "which leaves operators made before as they are, or give it another name"
        )
    if taken is None and name in library_signatures():
        raise library.CompileError(
            f"{name!r} is a program of the library: load this one under another name"
        )
    # Of another name, for which nothing is kept or compiled yet; the same in every process.
    running = name if taken is None else f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if taken is not None and _texts.get(name) == text:
        running = name
    known = running in _texts
    if not known:
        library.add_program(running, text)
        _count_results(running)
    _texts[running], _current[name] = text, running
    return running, known


def generated(name, text):
    """The operator of a text that the package writes; `programs` does not list it."""
    with _lock:
        if name not in _texts:
            library.add_program(name, text)
            _texts[name] = text
    return autograd.operator(name)


def text_of(path):
    """The text that the program at `path` comes from, None for one of the library."""
    return _texts.get(path.split("/")[0])


def restored(path, text):
    """The operator of a program that was added where the operator was pickled."""
    name = path.split("/")[0]
    with _lock:
        if _texts.get(name, text) != text:
            raise library.CompileError(
                f"an operator of a program {name!r} was saved, and {name!r} has another text here"
            )
        library.add_program(name, text)
        _count_results(name)
        _texts[name] = text
        _current.setdefault(name, name)
    return autograd.operator(path)
