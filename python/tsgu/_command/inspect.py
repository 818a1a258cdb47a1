"""What is in a file: the manifests of compiled programs, or the structure of a matrix.

FILE is an object file, a library or an executable with programs that were compiled ahead of time; a
Matrix Market file (.mtx, .mtx.gz); or a sparse array saved by SciPy (.npz).
"""

import ctypes
import mmap
import pathlib

from .._matrices import matrix_market
from .._runtime import library, optional

MAGIC = b"tsguMANI"  # TSGU_MANIFEST_MAGIC


def manifests(data):
    """The printed manifests in the bytes of a file. Raises CompileError."""
    found, at = [], data.find(MAGIC)
    while at >= 0:
        bytes_ = data[at:]
        text = ctypes.c_void_p()
        status = library.runtime.tsgu_manifest_print(bytes_, len(bytes_), ctypes.byref(text))
        # libtsgu and what is linked with it have the magic itself, with no manifest behind it.
        if status == 0:
            found.append(ctypes.string_at(text).decode())
            library.runtime.tsgu_string_free(text)
        elif bytes_[8:9] and bytes_[8] in range(1, 64) and bytes_[9:12] == bytes(3):
            library.check(status)
        at = data.find(MAGIC, at + len(MAGIC))
    return found


def read_matrix(path):
    """A matrix of a file as SciPy's COO array. Raises ValueError, OSError."""
    sparse = optional.load("scipy.sparse", "tsgu inspect", "scipy")
    if path.suffix != ".npz":
        return sparse.coo_array(matrix_market.read_matrix(path))
    try:
        return sparse.coo_array(sparse.load_npz(path))
    except OSError:
        raise
    except Exception as error:  # of any kind, for files of any kind
        raise ValueError(f"{path} holds no sparse array of SciPy ({error})") from None


def spread(counts):
    """Least, mean and most of lengths, and how many are 0."""
    if len(counts) == 0:
        return "none"
    empty = int((counts == 0).sum())
    text = f"{counts.min()} to {counts.max()}, mean {counts.mean():.2f}"
    return f"{text}; {empty} empty" if empty else text


def symmetry(A):
    """What A has in common with its transpose."""
    if A.shape[0] != A.shape[1]:
        return "not square"
    pattern, transposed = abs(A) > 0, abs(A.T.tocsr()) > 0
    if (pattern != transposed).nnz:
        both = pattern.multiply(transposed).nnz / max(pattern.nnz, 1)
        return f"{100 * both:.1f} % of the entries have a partner across the diagonal"
    for name, B in (("symmetric", A.T), ("Hermitian", A.conj().T), ("skew-symmetric", -A.T)):
        if (B.tocsr() != A).nnz == 0:
            return name
    return "symmetric pattern, other values"


def triangle(below, above):
    if not above and not below:
        return " (diagonal)"
    return " (lower triangular)" if not above else " (upper triangular)" if not below else ""


def blocks(A):
    """For blocks of each size, how full those with entries are."""
    import numpy as np

    shares = []
    for size in (2, 3, 4, 8):
        if any(extent % size or not extent for extent in A.shape):
            continue
        key = (A.row // size).astype(np.int64) * (A.shape[1] // size) + A.col // size
        share = A.nnz / (size * size * max(len(np.unique(key)), 1))
        shares.append(f"{size} x {size}: {100 * share:.0f} %")
    return ", ".join(shares) or "none divide the shape"


def levels(A):
    """Level sets of the lower triangle: how many steps a triangular solve takes, one by one."""
    import numpy as np

    depth = np.zeros(A.shape[0], dtype=np.int64)
    positions, columns = A.indptr, A.indices
    for row in range(A.shape[0]):
        before = columns[positions[row] : positions[row + 1]]
        before = before[before < row]
        if len(before):
            depth[row] = depth[before].max() + 1
    return int(depth.max()) + 1 if len(depth) else 0


def filled(counts, what):
    share = (counts > 0).mean() if len(counts) else 1.0
    return f"{100 * share:.1f} % of the {what} have entries"


def structure(given, most_rows=200_000):
    """Lines of name and value that describe a matrix (SciPy's COO array)."""
    import numpy as np

    A = given.tocsr()  # sums duplicates
    A.sort_indices()
    coordinates = A.tocoo()
    rows, columns = (
        np.bincount(index, minlength=extent)
        for index, extent in zip(coordinates.coords, A.shape, strict=True)
    )
    below = int((coordinates.row - coordinates.col).max(initial=0))
    above = int((coordinates.col - coordinates.row).max(initial=0))
    size = A.shape[0] * A.shape[1]
    yield "shape", f"{A.shape[0]} x {A.shape[1]}, {A.dtype}"
    density = f", {100 * A.nnz / size:.3g} % of all" if size else ""
    zeros = int((A.data == 0).sum())
    yield "entries", f"{A.nnz}{density}" + (f"; {zeros} are 0" if zeros else "")
    if given.nnz != A.nnz:
        yield "duplicates", str(given.nnz - A.nnz)
    if not np.isfinite(A.data).all():
        yield "values", f"{int((~np.isfinite(A.data)).sum())} are not finite"
    yield "rows", spread(rows)
    yield "columns", spread(columns)
    yield "symmetry", symmetry(A)
    yield "bandwidth", f"{below} below, {above} above the diagonal" + triangle(below, above)
    if A.shape[0] == A.shape[1]:
        on = int((coordinates.row == coordinates.col).sum())
        yield "diagonal", f"{on} of {A.shape[0]} stored"
        if A.shape[0] <= most_rows:
            yield "level sets", f"{levels(A)} of the lower triangle"
    yield "blocks", blocks(coordinates)
    yield "filled", f"{filled(rows, 'rows')}, {filled(columns, 'columns')}"


def add_arguments(parser):
    parser.add_argument("file", metavar="FILE", type=pathlib.Path)


def run(given):
    path = given.file
    if path.name.endswith((".mtx", ".mtx.gz", ".npz")):
        for name, value in structure(read_matrix(path)):
            print(f"{name:<11} {value}")
        return 0
    with open(path, "rb") as file:
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = manifests(data)
    if not found:
        raise ValueError(
            f"{path} has no compiled program in it; matrices are .mtx, .mtx.gz or .npz files"
        )
    print("\n".join(text.rstrip() + "\n" for text in found), end="")
    return 0
