"""What the pictures of tsgu.plots show: data, names of axes, and what they refuse."""

import sys

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from test_levels import ON_DEVICE

import matrices
import tsgu
from tsgu import plots

matplotlib.use("Agg")
KINDS = {
    kind: make
    for kind, make in {**matrices.MATRICES, **matrices.OTHERS}.items()
    if "batched" not in kind
}


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def names(ax):
    """Of the axes and of the bar of colours; nothing lies outside of the picture."""
    figure = ax.figure
    figure.canvas.draw()
    box = ax.get_tightbbox()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    bars = [other.get_ylabel() for other in figure.axes if other is not ax]
    return [ax.get_xlabel(), ax.get_ylabel(), *bars]


@pytest.mark.parametrize("kind", KINDS)
def test_spy_shows_values(kind):
    A = KINDS[kind](6, 9, torch.complex128)
    ax = plots.spy(A)
    assert names(ax) == ["column", "row", "absolute value"]
    (image,) = ax.get_images()
    A = tsgu.Matrix.of(A)
    stored = torch.zeros(6, 9, dtype=torch.bool)
    stored[tuple(A.pattern.entry_indices())] = True
    shown = np.ma.filled(image.get_array(), np.nan)
    expected = A.to_dense().abs().masked_fill(~stored, torch.nan).numpy()
    np.testing.assert_allclose(shown, expected)
    assert tuple(image.get_extent()) == (-0.5, 8.5, 5.5, -0.5)  # row i stands at i
    assert ax.get_title() == f"6 x 9, {A.pattern.entries} entries"


def test_spy_counts_entries_of_a_large_matrix():
    rows, columns = torch.randint(0, 1500, (5000,)), torch.randint(0, 700, (5000,))
    A = torch.sparse_coo_tensor(torch.stack([rows, columns]), torch.ones(5000), (1500, 700))
    axes = pyplot.figure(layout="constrained").add_subplot()
    assert plots.spy(A.requires_grad_(), axes) is axes
    assert names(axes) == ["column", "row", "entries in 3 x 3 elements"]
    (image,) = axes.get_images()
    edges = np.arange(0, 1503, 3), np.arange(0, 703, 3)
    expected = np.histogram2d(rows.numpy(), columns.numpy(), edges)[0]
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), 0), expected)
    assert tuple(image.get_extent()) == (-0.5, 701.5, 1499.5, -0.5)


def test_spy_of_nothing():
    for shape in ((0, 4), (4, 0), (3, 3)):
        empty = torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.long), torch.ones(0), shape)
        (image,) = plots.spy(empty).get_images()
        assert image.get_array().mask.all()


def system():
    A = torch.diag(torch.arange(1.0, 41, dtype=torch.float64)) + torch.diag(torch.ones(39), 1) / 2
    return (A + A.T).to_sparse_coo(), torch.rand(40, 2, dtype=torch.float64)


def test_convergence():
    A, B = system()
    _, info = tsgu.sparse_generic_solve(A, B, "cg", return_info=True)
    ax = plots.convergence(info)
    assert names(ax) == ["iterations", "norm of the residual"] and ax.get_yscale() == "log"
    curves, goals = ax.get_lines()[::2], ax.get_lines()[1::2]
    for column in range(2):
        np.testing.assert_array_equal(curves[column].get_ydata(), info.history[:, column])
        np.testing.assert_array_equal(goals[column].get_ydata(), info.goals[column].item())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["column 0", "column 1"]
    batch = torch.stack([A.to_dense(), 2 * A.to_dense()]).to_sparse_coo()
    _, info = tsgu.sparse_generic_solve(batch, B.T.contiguous(), "minres", return_info=True)
    ax = plots.convergence(info)
    assert ax.get_title() == "minres" and len(ax.get_lines()) == 4
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["matrix 0", "matrix 1"]
    np.testing.assert_array_equal(ax.get_lines()[2].get_ydata(), info.history[1][:, 0])


def test_roofline():
    A = matrices.csr(50, 40, torch.float32)
    explanation = tsgu.explain(tsgu.sparse_mm, A, torch.rand(40, 8))
    if ON_DEVICE:  # what a device runs is not listed
        with pytest.raises(ValueError, match="no kernel ran"):
            plots.roofline(explanation)
        return
    ax = plots.roofline(explanation)
    assert names(ax) == ["flops per byte", "Gflop/s"]
    point, roof = ax.get_lines()
    (stage,) = explanation
    assert point.get_xdata() == [stage.flops / stage.bytes]
    np.testing.assert_allclose(point.get_ydata(), stage.flops / stage.seconds / 1e9)
    np.testing.assert_allclose(roof.get_ydata() / roof.get_xdata(), explanation.bandwidth / 1e9)
    # The share of the roof that explain gives is the point's height below the line.
    height = point.get_ydata()[0] / (point.get_xdata()[0] * explanation.bandwidth / 1e9)
    assert height == pytest.approx(stage.roof)
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said[0].startswith("spmm: ") and said[1].endswith(" GB/s")


def test_what_is_refused(monkeypatch):
    A, B = system()
    with pytest.raises(TypeError, match="sparse"):
        plots.spy(B)
    with pytest.raises(ValueError, match="one matrix"):
        plots.spy(torch.stack([A, A]).coalesce())
    _, info = tsgu.sparse_generic_solve(A, B, "lu", return_info=True)
    with pytest.raises(ValueError, match="'lu' has no history"):
        plots.convergence(info)
    with pytest.raises(ValueError, match="no kernel ran"):
        plots.roofline(tsgu.explain(lambda: None))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"tsgu.plots needs .*: pip install tsgu\[plots\]"):
        plots.spy(A)
