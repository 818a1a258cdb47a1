"""The matrices of the benchmark, made on the device in seconds, with fixed seeds."""

from typing import NamedTuple

import torch


class Problem(NamedTuple):
    """A square CSR matrix with int32 indices and float32 values."""

    name: str
    title: str
    positions: torch.Tensor
    coordinates: torch.Tensor
    values: torch.Tensor

    @property
    def rows(self):
        return self.positions.numel() - 1

    @property
    def stored(self):
        return self.coordinates.numel()

    def tensor(self, dtype=torch.float32):
        return torch.sparse_csr_tensor(
            self.positions,
            self.coordinates,
            self.values.to(dtype),
            (self.rows, self.rows),
            check_invariants=False,
        )


def _positions(counts):
    positions = torch.zeros(counts.numel() + 1, dtype=torch.int32, device=counts.device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=positions[1:])
    return positions


def _stencil(shape, offsets, device):
    """A grid; `offsets` in ascending order give ascending columns."""
    rows = torch.arange(torch.Size(shape).numel(), dtype=torch.int32, device=device)
    strides = [torch.Size(shape[d + 1 :]).numel() for d in range(len(shape))]
    inside, columns = [], []
    for offset in offsets:
        within = torch.ones_like(rows, dtype=torch.bool)
        for step, stride, extent in zip(offset, strides, shape, strict=True):
            if step:
                at = rows // stride % extent + step
                within &= (at >= 0) & (at < extent)
        inside.append(within)
        columns.append(rows + sum(map(lambda s, t: s * t, offset, strides)))
    inside, columns = torch.stack(inside, 1), torch.stack(columns, 1)
    return _positions(inside.sum(1)), columns[inside]


def _five_point(n, device, _):
    offsets = [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]
    return _stencil((n, n), offsets, device)


def _mesh(n, device, _):
    steps = (-1, 0, 1)
    offsets = [(x, y, z) for x in steps for y in steps for z in steps]
    return _stencil((n, n, n), offsets, device)


def _random(n, device, generator, degree=16):
    columns = torch.empty(n, degree, dtype=torch.int32, device=device)
    torch.randint(n, (n, degree), generator=generator, device=device, out=columns)
    columns = columns.sort(1)[0]
    while (bad := (columns.diff(dim=1) == 0).any(1)).any():
        shape = (int(bad.sum()), degree)
        again = torch.randint(n, shape, generator=generator, device=device, dtype=torch.int32)
        columns[bad] = again.sort(1)[0]
    counts = torch.full((n,), degree, device=device)
    return _positions(counts), columns.reshape(-1)


def _rmat(scale, device, generator, edge_factor=16, a=0.57, b=0.19, c=0.19):
    row = torch.zeros(edge_factor << scale, dtype=torch.int64, device=device)
    column = row.clone()
    for _ in range(scale):
        draw = torch.rand(row.shape, generator=generator, device=device)
        row.mul_(2).add_(draw >= a + b)
        column.mul_(2).add_(((draw >= a) & (draw < a + b)) | (draw >= a + b + c))
    entries = row.mul_(1 << scale).add_(column).unique()  # sorted
    counts = torch.bincount(entries >> scale, minlength=1 << scale)
    return _positions(counts), (entries & ((1 << scale) - 1)).int()


# name -> (title, maker, size, size for a trial, bytes that making it takes)
_PROBLEMS = {
    "cfd2s": ("27-point mesh {}^3", _mesh, 50, 6, 1 << 30),
    "p2d": ("5-point grid {}^2", _five_point, 4000, 24, 4 << 30),
    "rnd": ("random {} x 16", _random, 8_000_000, 400, 6 << 30),
    "rmat": ("R-MAT 2^{}, edge factor 16", _rmat, 22, 8, 6 << 30),
}


def bytes_to_make(name, trial=False):
    return 1 << 20 if trial else _PROBLEMS[name][4]


def make(name, device, trial=False, size=None):
    """The problem of that name; a small one of its kind for a trial of the script."""
    title, maker, full, small, _ = _PROBLEMS[name]
    size = size or (small if trial else full)
    generator = torch.Generator(device).manual_seed(20240229)
    positions, coordinates = maker(size, device, generator)
    values = torch.randn(coordinates.shape, generator=generator, device=device)
    return Problem(name, title.format(size), positions, coordinates, values)
