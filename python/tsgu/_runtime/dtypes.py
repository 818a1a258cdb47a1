"""A matrix says in which dtype a problem is solved."""

import warnings

from . import callbacks


def same_dtype(A, B, name="B"):
    """B in A's dtype, with a warning where it has another."""
    if A.dtype == B.dtype:
        return B
    if B.is_complex() and not A.is_complex():
        raise TypeError(
            f"A has dtype {A.dtype} and {name} {B.dtype}, and the result would be complex: write "
            f"A.to({B.dtype})"
        )
    warnings.warn(
        f"A has dtype {A.dtype} and {name} {B.dtype}, which is converted to A's: write "
        f"{name}.to({A.dtype}), or A.to({B.dtype})",
        UserWarning,
        stacklevel=callbacks.level(),
    )
    return B.to(A.dtype)
