"""What is asked of the parameters of a normal distribution."""

import warnings

import torch

from .._matrices.kinds import is_hybrid, is_tensor_or_matrix
from .._patterns.layouts import is_sparse
from .._runtime import callbacks
from .._solvers.linear_solve import check_on_cpu
from .constraints import (
    may_have_nan,
    sparse_lower_cholesky,
    sparse_lower_triangular,
    sparse_positive_definite,
)

_are_regular = torch.ops.tsgu.are_regular.default._op


def check_vectors(loc, diagonal):
    """Raises for the first thing that is wrong with them."""
    for name, x in (("loc", loc), ("diagonal", diagonal)):
        if x is None:
            continue
        if not isinstance(x, torch.Tensor) or x.layout is not torch.strided:
            raise TypeError(f"{name} must be a dense torch.Tensor")
        if x.dim() not in (1, 2):
            raise ValueError(
                f"{name} must be one-dimensional, (n,), or a batch, (b, n), and has shape "
                f"{tuple(x.shape)}"
            )
    if diagonal is not None and diagonal.shape[-1] != loc.shape[-1]:
        raise ValueError(
            f"diagonal must have as many elements as loc, {loc.shape[-1]}, and has shape "
            f"{tuple(diagonal.shape)}"
        )


def the_one_given(diagonal, **matrices):
    """Name and value of the one matrix that is not None. Raises ValueError for none or several."""
    given = [(name, A) for name, A in matrices.items() if A is not None]
    whole = [name for name, _ in given if name.endswith("_matrix")]
    if len(given) != 1:
        names = "scale_tril, precision_tril, covariance_matrix or precision_matrix"
        names = names if whole else "scale_tril or precision_tril"
        raise ValueError(f"Exactly one of {names} may be specified.")
    if whole and diagonal is not None:
        raise ValueError(f"diagonal is that of L D L^T: give it with a factor, not {whole[0]}")
    return given[0]


def check_matrix(name, A, n):
    if not is_tensor_or_matrix(A):
        raise TypeError(f"{name} must be a sparse torch.Tensor or array")
    if not is_sparse(A):
        raise ValueError(f"{name} must be sparse, COO or CSR, and is {A.layout}")
    if A.dim() not in (2, 3) or is_hybrid(A):
        raise ValueError(
            f"{name} must be two-dimensional, (n, n), or a batch, (b, n, n), and has shape "
            f"{tuple(A.shape)}"
        )
    if A.shape[-2:] != (n, n):
        raise ValueError(f"{name} must be ({n}, {n}), as loc is, and has shape {tuple(A.shape)}")
    if name.endswith("_matrix"):  # which is factorised
        check_on_cpu(A)


def common_batch(given):
    """The batch shape of loc, diagonal and the factor, by name."""
    shapes = {
        name: tuple(x.shape[: -2 if is_sparse(x) else -1])
        for name, x in given.items()
        if x is not None
    }
    try:
        first, *others = shapes.values()
        same = all(shape == first for shape in others)  # the common case, and quick
        return torch.Size(first) if same else torch.broadcast_shapes(*shapes.values())
    except RuntimeError:
        raise ValueError(
            "parameters have different batch shapes: "
            + ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        ) from None


def check_types(given):
    dtypes = {name: x.dtype for name, x in given.items() if x is not None}
    if {*dtypes.values()} not in ({torch.float32}, {torch.float64}):
        raise TypeError(
            "parameters must be all float32 or all float64, not "
            + ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        )


def _first_false(valid):
    return ", ".join(str(int(k)) for k in (~valid).nonzero()[0])


def _check_loc(loc):
    if may_have_nan(loc):
        valid = loc == loc
        if not valid.all():
            raise ValueError(f"loc must be real, and loc[{_first_false(valid)}] is NaN")


def _check_diagonal(D):
    valid = D > 0
    if not valid.all():
        place = _first_false(valid)
        raise ValueError(
            f"diagonal must be positive, and diagonal[{place}] is {D[~valid][0].item()}: of "
            "L D L^T with another D there is no normal distribution"
        )


def _warn_of_diagonal(name, stored):
    if (stored != 1).any():
        warnings.warn(
            f"{name} stores a diagonal, which L D L^T takes as ones: leave it out, or give no "
            "diagonal for L L^T",
            UserWarning,
            stacklevel=callbacks.level(),
        )


def _are_regular_at_a_glance(loc, values, triangle, has_diagonal):
    """By one call, False where more has to be looked at."""
    if not values.is_cpu or triangle.above.shape[1] or torch._C._len_torch_dispatch_stack():
        return False
    if not has_diagonal:
        return not triangle.on_diagonal.numel() and _are_regular(loc, values, triangle.on_diagonal)
    return triangle.rows is None and _are_regular(loc, values, triangle.on_diagonal)


def check_values(loc, diagonal, name, A, triangle):
    """Raises ValueError unless the values are those of a normal distribution.

    Values are not looked at in transforms of torch.func and in compiled graphs.
    """
    if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling():
        return
    loc, values = loc.detach(), triangle.values(A)
    regular = _are_regular_at_a_glance(loc, values, triangle, diagonal is None)
    if not regular:
        _check_loc(loc)
    if diagonal is not None:
        _check_diagonal(diagonal.detach())
    if regular:
        return
    constraint = sparse_lower_cholesky if diagonal is None else sparse_lower_triangular
    wrong = constraint.first_violation(name, A, triangle, values)
    if wrong is not None:
        raise ValueError(f"{name} must be lower triangular and invertible: {wrong}")
    if diagonal is not None and triangle.on_diagonal.numel():
        _warn_of_diagonal(name, values[triangle.on_diagonal])


def check_positive_definite(loc, name, A):
    """Raises ValueError for a NaN, and for a matrix that Cholesky cannot factorise."""
    if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling():
        return
    _check_loc(loc.detach())
    wrong = sparse_positive_definite.violation(A)
    if wrong is not None:
        raise ValueError(f"{name} must be symmetric positive definite: {wrong}")
