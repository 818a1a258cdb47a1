"""The examples of the gallery, small: each finds what it says it does, and draws it."""

import importlib
from pathlib import Path

import pytest
import torch

_FOLDER = Path(__file__).parents[2] / "examples" / "gallery"


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Runs an example by its name: (its module, what it found), once it has drawn that."""
    monkeypatch.syspath_prepend(_FOLDER)

    def run(name):
        module = importlib.import_module(name)
        found = module.run(quick=True)
        module.draw(found, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000
        return module, found

    return run


def test_every_example_is_tested():
    examples = {path.stem for path in _FOLDER.glob("*.py")} - {"style"}
    assert {f"test_{name}" for name in examples} <= set(globals())


def test_cantilever(example):
    _, found = example("cantilever")
    beam, k = found["beam"], torch.rand(len(found["relative"]), dtype=torch.float64) + 0.5
    dense = torch.zeros(beam.size, beam.size, dtype=torch.float64)
    dense.index_put_(tuple(beam.indices), beam.weight * k[beam.spring], accumulate=True)
    torch.testing.assert_close(beam.displacements(k), torch.linalg.solve(dense, beam.load))
    reached = (found["after"][beam.middle] - found["target"]).square().mean().sqrt()
    assert reached < 0.02 < found["losses"][0] ** 0.5


def test_laplacian(example):
    _, found = example("laplacian")
    graph, sources = found["graph"], torch.randn(found["graph"].n, 3, dtype=torch.float64)
    expected = graph.spread_dense(found["truth"], sources)
    torch.testing.assert_close(graph.spread(found["truth"], sources), expected)
    assert found["errors"][-1] < 0.05 < found["errors"][0]


def test_quasi_harmonic(example):
    _, found = example("quasi_harmonic")
    weights, energies = found["weights"], found["energies"]
    for kind in ("harmonic", "quasi-harmonic"):
        assert weights[kind].min() > -1e-9 and weights[kind].max() < 1 + 1e-9
    ones = torch.ones(len(weights["harmonic"]), dtype=torch.float64)
    torch.testing.assert_close(weights["quasi-harmonic"].sum(1), ones)
    assert weights["biharmonic"].min() < -0.05
    assert found["least"] < energies[-1] < energies[0] / 5


def test_field(example):
    module, found = example("field")
    mesh, y = found["mesh"], found["y"]
    parameters = found["parameters"].clone().requires_grad_()
    value = module.log_likelihood(mesh, y, parameters)
    (gradient,) = torch.autograd.grad(value, parameters)
    # The readings are normal with covariance A Q^-1 A^T + noise^2.
    dense = found["parameters"].clone().requires_grad_()
    A, Q = mesh.reading.to_dense(), mesh.field(*dense[:2]).precision_matrix.to_dense()
    covariance = A @ torch.linalg.inv(Q) @ A.T + torch.eye(len(y)) * (2 * dense[2]).exp()
    normal = torch.distributions.MultivariateNormal(torch.zeros_like(y), covariance)
    expected = normal.log_prob(y)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        gradient, torch.autograd.grad(expected, dense)[0], atol=1e-5, rtol=1e-5
    )
    inverse = torch.linalg.inv(Q + A.T @ A * (-2 * dense[2]).exp()).detach()
    torch.testing.assert_close(found["deviation"], inverse.diagonal().sqrt())
    assert (found["parameters"].exp() / found["truth"]).log().abs().max() < 0.5


def test_attention(example):
    _, found = example("attention")
    assert found["right"][-1] >= 30
    rows = found["pairs"][0]
    sums = torch.zeros(34).index_add(0, rows, found["weights"])
    torch.testing.assert_close(sums, torch.ones(34))


def test_tomography(example):
    module, found = example("tomography")
    disc = found["disc"]
    s = torch.rand(len(disc.triangles), dtype=torch.float64).add(0.5).requires_grad_()
    # Of each triangle, by the gradients of its three linear functions.
    corners = torch.from_numpy(disc.points[disc.triangles])
    linear = torch.cat([torch.ones_like(corners[:, :, :1]), corners], 2)
    slopes, areas = torch.linalg.inv(linear)[:, 1:], torch.linalg.det(linear).abs() / 2
    local = (s * areas)[:, None, None] * slopes.mT @ slopes
    at = torch.from_numpy(disc.triangles).long()
    rows, columns = at.repeat_interleave(3, 1), at.repeat(1, 3)
    K = torch.zeros(disc.n + 1, disc.n + 1, dtype=torch.float64)
    K = K.index_put((rows, columns), local.reshape(-1, 9), accumulate=True)
    k, electrodes = torch.arange(32), disc.electrodes
    currents = torch.zeros(disc.n + 1, 32, dtype=torch.float64)
    currents[electrodes, k], currents[electrodes.roll(-12), k] = 1.0, -1.0
    u = torch.linalg.lstsq(K, currents, driver="gelsd").solution[electrodes]  # up to a constant
    pairs = [(e, (e + 1) % 32, c) for e in range(32) for c in range(32)]
    pairs = [p for p in pairs if not {p[0], p[1]} & {p[2], (p[2] + 12) % 32}]
    first, second, which = torch.tensor(pairs).T
    expected = u[first, which] - u[second, which]
    torch.testing.assert_close(disc.readings(s), expected)
    (gradient,) = torch.autograd.grad(disc.readings(s).square().sum(), s)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.square().sum(), s)[0])
    inside = module.conductivity(disc.centres)
    assert found["found"][inside < 1].mean() < 0.6 and found["found"][inside > 1].mean() > 1.4
    assert found["misfits"][-1] < found["misfits"][0] / 50
