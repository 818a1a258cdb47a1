"""Files of the Matrix Market, read by SciPy once what it misreads in silence is out of the way."""

import gzip
import io
import re
from pathlib import Path

from .._runtime.optional import load

# Fortran leaves the letter out where the exponent has three digits: 1.5+100.
_WITHOUT_LETTER = re.compile(rb"[0-9.][+-][0-9]")
_NUMBERS = bytes.maketrans(b"Dd", b"Ee")


def _with_exponents(text, path):
    """The file with the letter E in exponents, which SciPy reads; it stops at a Fortran D."""
    start = 0
    while text.startswith(b"%", start) and (end := text.find(b"\n", start)) >= 0:
        start = end + 1
    head, numbers = text[:start], text[start:]
    found = _WITHOUT_LETTER.search(numbers)
    if found:
        line = text[: start + found.start()].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: a number has an exponent without a letter, as Fortran writes "
            "1.5E+100 in a narrow format; write the E"
        )
    return head + numbers.translate(_NUMBERS)


def read_matrix(path):
    """The sparse array of SciPy, CSR, in a .mtx or .mtx.gz file, as `Matrix.read` has it."""
    scipy_io = load("scipy.io", "tsgu.Matrix.read", "scipy")
    raw = Path(path).read_bytes()
    text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    if not text.startswith(b"%%MatrixMarket"):
        raise ValueError(f"{path} does not begin with %%MatrixMarket: it is no Matrix Market file")
    try:
        array = scipy_io.mmread(io.BytesIO(_with_exponents(text, path)), spmatrix=False)
    except OverflowError as error:
        raise ValueError(f"{path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not hasattr(array, "tocsr"):
        raise ValueError(
            f"{path} holds a dense matrix (format array): read it with scipy.io.mmread"
        )
    return array.tocsr()
