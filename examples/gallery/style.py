"""What the pictures of the gallery have in common: colours, frames, and the command line."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

INK, PAPER, ACCENT, SECOND, GRID = "#1d2433", "#fbfaf7", "#c8452f", "#2f6f9f", "#e4e0d6"


def panels(rows, columns, size, **options):
    """A figure, and its axes as a flat array."""
    figure, axes = plt.subplots(
        rows, columns, figsize=size, facecolor=PAPER, layout="constrained", squeeze=False, **options
    )
    for one in axes.flat:
        one.set_facecolor(PAPER)
        one.tick_params(colors=INK)
    return figure, axes.ravel()


def name(axes, title, x=None, y=None):
    """Title and names of the axes; without names, no ticks and no frame: a map."""
    axes.set_title(title, fontsize=11, color=INK, loc="left", pad=8)
    if x is None:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal")
        return
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure, title, path):
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, color=INK, fontweight="bold")
    figure.savefig(path, dpi=75, facecolor=PAPER)
    plt.close(figure)
    print("drew", path)


def main(script, run, draw):
    """The command line of an example: runs it, draws what it found."""
    stem = Path(script).stem
    description = run.__globals__["__doc__"].splitlines()[0]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, default=Path("gallery"), help="folder for pictures")
    parser.add_argument("--quick", action="store_true", help="a small problem, in seconds")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    draw(run(given.quick), given.output / f"{stem}.png")
