"""A quick table: a sparse product and its gradients, here and by torch.

Medians of interleaved calls, in milliseconds, f32. For careful measurements of everything there is
`make bench` in a checkout.
"""

import statistics
import time

import torch

REPEATS = 15


def grid(side):
    """The 5-point Laplacian of a square of side x side points."""
    points = torch.arange(side * side).reshape(side, side)
    right = torch.stack([points[:, :-1].flatten(), points[:, 1:].flatten()])
    down = torch.stack([points[:-1].flatten(), points[1:].flatten()])
    own = points.flatten().repeat(2, 1)
    return torch.cat([own, right, right.flip(0), down, down.flip(0)], dim=1)


def scattered(rows, in_row):
    """Entries at random columns, some twice."""
    generator = torch.Generator().manual_seed(0)
    columns = torch.randint(rows, (rows * in_row,), generator=generator)
    return torch.stack([torch.arange(rows).repeat_interleave(in_row), columns])


def matrices(scale):
    side, rows = int(500 * scale), int(50_000 * scale)
    yield f"grid of {side} x {side}", grid(side), side * side
    yield f"{rows} rows of 20", scattered(rows, 20), rows


def csr(coordinates, rows):
    values = torch.ones(coordinates.shape[1])
    return torch.sparse_coo_tensor(coordinates, values, (rows, rows)).coalesce().to_sparse_csr()


def interleaved(*steps):
    """The median milliseconds of each step, called in turns."""
    times = [[] for _ in steps]
    for step in steps:
        step()
    for _ in range(REPEATS):
        for step, taken in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            taken.append(1e3 * (time.perf_counter() - start))
    return map(statistics.median, times)


def steps(multiply, A, B):
    """The product alone, and with the gradients of both operands."""
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()

    def forward():
        with torch.no_grad():
            return multiply(A, B)

    def backward():
        return torch.autograd.grad(multiply(A, B).sum(), (A, B))

    return forward, backward


def add_arguments(parser):
    parser.add_argument("--threads", type=int, help="of torch (default: as torch has it)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the matrices (default: 1)"
    )


def run(given):
    import tsgu

    if given.threads is not None:
        if given.threads < 1:
            raise ValueError(f"--threads is at least 1, not {given.threads}")
        torch.set_num_threads(given.threads)
    if not 0.01 <= given.scale <= 10:
        raise ValueError(f"--scale is 0.01 to 10, not {given.scale}")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; ms: tsgu, torch, ratio\n")
    head = f"{'matrix':<22}{'p':>4}  {'A B':>24}  {'and both gradients':>24}"
    print(head)
    for name, coordinates, rows in matrices(given.scale):
        A = csr(coordinates, rows)
        for width in (1, 16, 64):
            B = torch.ones(rows, width)
            ours, theirs = steps(tsgu.sparse_mm, A, B), steps(torch.sparse.mm, A, B)
            cells = []
            for here, there in zip(ours, theirs, strict=True):
                taken, by_torch = interleaved(here, there)
                cells.append(f"{taken:9.2f}{by_torch:9.2f}{by_torch / taken:6.1f}")
            print(f"{name:<22}{width:>4}  {cells[0]:>24}  {cells[1]:>24}", flush=True)
    return 0
