"""Programs that users write."""

import pathlib
import re

from . import _library
from ._autograd import operator

_FUNCTION = re.compile(r"func\.func\s+@(\w+)")


def load_program(path_or_text, name=None):
    """Adds a program and returns its operator, with gradients of every order.

    `path_or_text` is the path of an .mlir file or its text: a module with one public function
    over tensors (see lib/Programs). `name`, by default the function's, is the program's for the
    rest of the process; the same text may be loaded again.

    The operator takes a `tsgu.Pattern` for each pattern of the program, then its operands, the
    sparse ones as their values.

    A text is read by a child process first, once for each text: what crashes or hangs its reader
    is refused too. Raises CompileError where the program is refused, saying why, where the child's
    program, tsgu-check, is missing, or where the name is taken.
    """
    text = str(path_or_text)
    if isinstance(path_or_text, pathlib.PurePath) or "\n" not in text:
        text = pathlib.Path(path_or_text).read_text()
    if name is None:
        function = _FUNCTION.search(text)
        if function is None:
            raise _library.CompileError("the text has no 'func.func @name' to take a name from")
        name = function.group(1)
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"{name!r} is no name for a program: use letters, digits and _")
    _library.add_program(name, text)
    return operator(name)
