"""Pictures of matrices, solves and kernels, by matplotlib: `pip install tsgu[plots]`.

Every function draws on `ax`, axes of matplotlib, or on those of a new figure, and returns them.
"""

from typing import Any

import torch

from ._matrices.matrix import Matrix
from ._programs.explain import Explanation
from ._runtime.optional import load
from ._solvers.solver import SolveInfo
from ._typing import SparseMatrix

__all__ = ["convergence", "roofline", "spy"]

_CELLS = 512  # at most, beside and above each other


def _axes(ax):
    if ax is not None:
        return ax
    pyplot = load("matplotlib.pyplot", "tsgu.plots", "tsgu[plots]")
    return pyplot.subplots(layout="constrained")[1]


def spy(A: SparseMatrix, ax: Any = None) -> Any:
    """Where A, (n, m), of any layout, stores entries.

    Up to 512 rows and columns every element is a cell, with the colour of its absolute value; in
    larger matrices a cell is a square of elements, with the colour of how many entries are there.

    Raises TypeError for what is not sparse, ValueError for a batch.
    """
    A = Matrix.of(A).detach()
    if A.ndim != 2:
        raise ValueError(f"spy draws one matrix, and A has shape {tuple(A.shape)}")
    rows, columns = A.shape
    side = max(1, -(-max(rows, columns) // _CELLS))
    down, across = max(1, -(-rows // side)), max(1, -(-columns // side))
    row, column = A.pattern.entry_indices().cpu() // side
    place, values = row * across + column, A.values.cpu()
    counts = torch.bincount(place, minlength=down * across)
    label = "absolute value"
    if side > 1:
        values, label = torch.ones(len(place)), f"entries in {side} x {side} elements"
    sums = values.new_zeros(down * across).index_add(0, place, values).abs().double()
    cells = sums.where(counts > 0, torch.nan).view(down, across)
    ax = _axes(ax)
    extent = (-0.5, across * side - 0.5, down * side - 0.5, -0.5)
    image = ax.imshow(cells.numpy(), extent=extent, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.set(xlabel="column", ylabel="row", title=f"{rows:,} x {columns:,}, {len(place):,} entries")
    return ax


def convergence(info: SolveInfo, ax: Any = None) -> Any:
    """The residuals of a solve with return_info=True, step by step, and the goals, dotted.

    A line for each column and each matrix of a batch.

    Raises ValueError for a direct method, which has no steps.
    """
    batched = isinstance(info.history, tuple)
    histories: Any = info.history if batched else (info.history,)
    goals = info.goals if batched else info.goals.unsqueeze(0)
    if not any(history is not None and len(history) for history in histories):
        raise ValueError(f"a solve by {info.method!r} has no history of residuals to draw")
    ax = _axes(ax)
    for item, history in enumerate(histories):
        for column in range(0 if history is None else history.shape[1]):
            name = [f"matrix {item}"] * batched + [f"column {column}"] * (history.shape[1] > 1)
            (line,) = ax.semilogy(history[:, column].numpy(), label=", ".join(name))
            goal = goals[item, column].item()
            ax.axhline(goal, color=line.get_color(), linestyle=":", linewidth=1)
    ax.set(xlabel="iterations", ylabel="norm of the residual", title=info.method)
    if 1 < len(ax.get_lines()) // 2 <= 10:
        ax.legend()
    return ax


def roofline(explanation: Explanation, ax: Any = None) -> Any:
    """The kernels of `tsgu.explain`: flops per second over flops per byte that has to be moved.

    The line is what memory allows, at the bandwidth that was measured; kernels above it found their
    operands in the caches.

    Raises ValueError where no kernel ran.
    """
    kernels = [one for one in explanation if one.kernel and one.flops and one.bytes]
    if not kernels:
        raise ValueError("no kernel ran in the call that was explained, only steps or a device's")
    ax = _axes(ax)
    for one in kernels:
        ratio, speed = one.flops / one.bytes, one.flops / one.seconds / 1e9
        ax.loglog(ratio, speed, "o", label=f"{one.program}: {one.stage}")
    ratios = [one.flops / one.bytes for one in kernels]
    ends = min(ratios) / 2, max(ratios) * 2
    roof = [explanation.bandwidth * ratio / 1e9 for ratio in ends]
    label = f"memory, {explanation.bandwidth / 1e9:.3g} GB/s"
    ax.loglog(ends, roof, color="black", label=label)
    ax.set(xlabel="flops per byte", ylabel="Gflop/s", title="roofline")
    ax.legend()
    return ax
