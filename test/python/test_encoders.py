"""Encoders, beside loops over all pairs of sites."""

import copy
import itertools
import pickle
import warnings

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from run_tools import measure

import oracle
import tsgu
from tsgu import encoders
from tsgu.encoders import PairwiseEncoder, calc_pairwise_coo_indices_nd, pairwise_encoder
from tsgu.encoders.pairwise_voxel_encoder import PairwiseVoxelEncoder

RELATIONS = ("indep", "intra", "inter")
LAYOUTS = (torch.sparse_coo, torch.sparse_csr)
SHAPES = [(2, 5), (3, 2, 4), (2, 1, 3), (2, 3, 2, 3), (1, 1, 1), (2, 2, 1, 2, 2)]


def offsets_of(radius, shape, diag, upper, relation):
    """All offsets of the definition, in any order, by trying all of a box."""
    channels, *spatial = shape
    box = [range(-channels, channels + 1), *[range(-int(radius), int(radius) + 1)] * len(spatial)]
    found = set()
    for channel, *step in itertools.product(*box):
        inside, still = sum(x * x for x in step) <= radius**2, not any(step)
        if channel == 0:
            related = inside and (diag or not still)
        else:
            related = 0 < channel < channels and relation != "indep"
            related = related and (inside if relation == "inter" else still)
        first = next((x for x in (channel, *step) if x), None)
        if related and (first is None or upper is None or (first < 0) == upper):
            found.add((channel, *step))
    return found


def pairs_of(encoder):
    """(row, column, offset's number) of the entries, by looking at every pair of sites."""
    sites = list(itertools.product(*map(range, encoder.volume_shape)))
    numbers = {offset: k for k, offset in enumerate(encoder.offsets)}
    found = []
    for row, here in enumerate(sites):
        for column, there in enumerate(sites):
            k = numbers.get(tuple(a - b for a, b in zip(here, there, strict=True)))
            if k is not None:
                found.append((row, column, k))
    return torch.tensor(found, dtype=torch.int64).view(-1, 3).T


def reference(encoder, values):
    """The dense matrix, or batch of them."""
    rows, columns, numbers = pairs_of(encoder)
    flat = values.reshape(-1, len(encoder.offsets), encoder.volume_numel)
    matrices = [
        oracle.dense((rows, columns), item[numbers, rows], (encoder.volume_numel,) * 2)
        for item in flat
    ]
    lead = values.shape[: values.dim() - len(encoder.volume_shape) - 1]
    return torch.stack(matrices).view(*lead, *matrices[0].shape)


def random_values(encoder, *lead, dtype=torch.float64):
    return torch.randn(*lead, len(encoder.offsets), *encoder.volume_shape, dtype=dtype)


# ===-- Values -----------------------------------------------------------------===#


@pytest.mark.parametrize("shape", SHAPES)
def test_matrices(shape):
    relations = RELATIONS if shape[0] > 1 else RELATIONS[:1]
    choices = itertools.product(relations, (None, True, False), (False, True), (1, 1.5, 2))
    for number, (relation, upper, diag, radius) in enumerate(choices):
        index = (torch.int32, torch.int64)[number % 2]
        dtype = (torch.float32, torch.float64)[number // 2 % 2]
        layout = LAYOUTS[number // 4 % 2]
        encoder = PairwiseEncoder(radius, shape, diag, upper, relation, layout, index)
        expected = offsets_of(radius, shape, diag, upper, relation)
        assert len(encoder.offsets) == len(expected) and set(encoder.offsets) == expected
        for lead in ((), (3,)):
            values = random_values(encoder, *lead, dtype=dtype)
            A = encoder(values)
            assert A.layout is layout and A.dtype is dtype
            assert torch.equal(A.to_dense(), reference(encoder, values))
            items = 3 if lead and layout is torch.sparse_coo else 1
            assert A._nnz() == items * pairs_of(encoder).shape[1]
            if layout is torch.sparse_coo:
                assert A.is_coalesced() and A.indices().dtype is torch.int64
                assert torch.equal(A.indices(), A.to_dense().ne(0).nonzero().T)
            else:
                assert A.crow_indices().dtype is A.col_indices().dtype is index


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.data())
def test_any_volume(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    hypothesis.assume(torch.tensor(shape).prod() <= 64)
    relation = data.draw(st.sampled_from(RELATIONS if shape[0] > 1 else RELATIONS[:1]))
    radius = data.draw(st.floats(1, 5))
    upper, diag = data.draw(st.sampled_from([None, True, False])), data.draw(st.booleans())
    layout = data.draw(st.sampled_from(LAYOUTS))
    encoder = PairwiseEncoder(radius, shape, diag, upper, relation, layout)
    assert set(encoder.offsets) == offsets_of(radius, shape, diag, upper, relation)
    values = random_values(encoder, *data.draw(st.sampled_from([(), (0,), (2,)])))
    A = encoder(values)
    if values.numel():
        assert torch.equal(A.to_dense(), reference(encoder, values))
    assert A.shape == (*values.shape[: -len(shape) - 1], *(encoder.volume_numel,) * 2)


def test_order_of_offsets():
    zero = (0, 0, 0)
    first = [(0, 0, -1), (0, 0, 1), (0, -1, 0), (0, 1, 0)]
    assert PairwiseEncoder(1, (1, 2, 2)).offsets == first
    assert PairwiseEncoder(1, (1, 2, 2), diag=True).offsets == [zero, *first]
    assert PairwiseEncoder(1, (1, 2, 2), diag=True, upper=True).offsets == [zero, *first[::2]]
    second = [(0, -1, -1), (0, -1, 1), (0, 1, -1), (0, 1, 1)]
    third = [(0, 0, -2), (0, 0, 2), (0, -2, 0), (0, 2, 0)]
    assert PairwiseEncoder(2, (1, 4, 4)).offsets == first + second + third
    across = [(1, *offset[1:]) for offset in (zero, *first, *second)]
    offsets = PairwiseEncoder(1.5, (2, 3, 3), channel_voxel_relation="inter").offsets
    assert offsets == first + second + across
    assert PairwiseEncoder(1.5, (2, 3, 3), False, True, "inter").offsets == first[::2] + second[:2]
    # A channel counts as a step of 10.
    offsets = PairwiseEncoder(11, (2, 30), channel_voxel_relation="intra").offsets
    assert offsets[18:] == [(0, -10), (0, 10), (1, 0), (0, -11), (0, 11)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_attributes(layout):
    shape = (2, 3, 2)
    encoder = PairwiseEncoder(1, shape, True, False, "inter", layout, torch.int32)
    assert (encoder.radius, encoder.volume_shape, encoder.diag) == (1, shape, True)
    assert (encoder.upper, encoder.channel_voxel_relation) == (False, "inter")
    assert (encoder.layout, encoder.indices_dtype) == (layout, torch.int32)
    assert (encoder.volume_numel, encoder.spatial_dims) == (12, 2)
    assert encoder.device == torch.device("cpu")
    assert not encoder.state_dict() and not list(encoder.buffers())
    assert "radius=1, volume_shape=(2, 3, 2), diag=True, upper=False" in repr(encoder)
    of_offsets = calc_pairwise_coo_indices_nd(1, shape, True, False, "inter", torch.int32)
    assert list(of_offsets) == encoder.offsets
    rows, columns, numbers = pairs_of(encoder)
    for k, indices in enumerate(of_offsets.values()):
        assert indices.dtype is torch.int32
        assert torch.equal(indices.long(), torch.stack([rows, columns])[:, numbers == k])
    joined = torch.cat(list(of_offsets.values()), 1)
    if layout is torch.sparse_coo:
        assert torch.equal(encoder.indices, joined) and encoder.indices.dtype is torch.int32
        assert encoder.csr_permutation is None
        assert not hasattr(encoder, "crow_indices") and not hasattr(encoder, "col_indices")
    else:
        assert not hasattr(encoder, "indices")
        order = encoder.csr_permutation
        assert torch.equal(joined[:, order].long(), torch.stack([rows, columns]))
        assert torch.equal(encoder.col_indices, columns.int())
        counts = torch.bincount(rows, minlength=12)
        assert torch.equal(encoder.crow_indices.diff(), counts.int())


def test_offsets_longer_than_the_volume():
    of_offsets = calc_pairwise_coo_indices_nd(3, (1, 2, 2))
    assert len(of_offsets) == 28
    assert of_offsets[(0, 0, 3)].shape == of_offsets[(0, -2, 0)].shape == (2, 0)
    assert of_offsets[(0, 1, -1)].tolist() == [[2], [1]]


def test_private_names():
    x = torch.arange(24).view(2, 3, 4)
    trim = pairwise_encoder._trim_nd
    assert torch.equal(trim(x, (0, 0, 1)), x[:, :, 1:])
    assert torch.equal(trim(x, (1, -2, 0)), x[1:, :1])
    assert trim(x, (0, 5, 0)).shape == trim(x, (0, -5, 0)).shape == (2, 0, 4)
    with pytest.raises(ValueError, match=r"dimensions in tensor \(3\) does not match .* \(1\)"):
        trim(x, (1,))
    assert pairwise_encoder._gen_coords_nd(1, 2) == {(0, 1), (0, -1), (1, 0), (-1, 0)}
    assert len(pairwise_encoder._gen_coords(1.5)) == 18
    assert pairwise_encoder._gen_coords_nd(0.5, 2) == set()
    with pytest.raises(ValueError, match="spatial_dims must be a positive integer"):
        pairwise_encoder._gen_coords_nd(1, 0)
    assert pairwise_encoder._gen_offsets(1, True) == [(0, 0, 0, -1), (0, 0, -1, 0), (0, -1, 0, 0)]
    nd = pairwise_encoder._gen_offsets_nd(2, 3, None, 2, "inter")
    assert pairwise_encoder._gen_offsets(2, None, 2, "inter") == nd


# ===-- Derivatives -------------------------------------------------------------===#


@pytest.mark.parametrize("lead", [(), (2,)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_derivatives(layout, lead):
    encoder = PairwiseEncoder(1.5, (2, 2, 3), True, None, "inter", layout)
    values = random_values(encoder, *lead).requires_grad_()
    B = torch.randn(*lead, encoder.volume_numel, 2, dtype=torch.float64, requires_grad=True)
    oracle.assert_same_derivatives(
        lambda values, B: tsgu.sparse_mm(encoder(values * values), B),
        lambda values, B: reference(encoder, values * values) @ B,
        (values, B),
    )


@pytest.mark.parametrize("lead", [(), (2,)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradcheck(layout, lead):
    encoder = PairwiseEncoder(1, (1, 2, 2), True, False, layout=layout)
    values = random_values(encoder, *lead).requires_grad_()

    def entries(values):
        return tsgu.values(encoder(values * values))

    assert torch.autograd.gradcheck(entries, values, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(entries, values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_outside_of_the_volume_have_no_gradient(layout):
    encoder = PairwiseEncoder(2, (1, 3, 4), layout=layout)
    values = random_values(encoder).requires_grad_()
    tsgu.values(encoder(values)).sum().backward()
    rows, _, numbers = pairs_of(encoder)
    expected = torch.zeros(len(encoder.offsets), 12, dtype=torch.float64)
    expected[numbers, rows] = 1
    assert torch.equal(values.grad.view_as(expected), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_triangular_solves(layout):
    """What a normal distribution with this precision does to its sample."""
    encoder = PairwiseEncoder(1, (2, 2, 3), True, False, "inter", layout)
    values = 0.1 * random_values(encoder)
    values[0] += 1
    noise = torch.randn(encoder.volume_numel, 3, dtype=torch.float64)
    oracle.assert_same_derivatives(
        lambda values: tsgu.sparse_triangular_solve(encoder(values), noise, False, transpose=True),
        lambda values: torch.linalg.solve(reference(encoder, values).mT, noise),
        (values.requires_grad_(),),
        order=2,
        terms=1 << 14,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transforms_and_graphs(layout):
    encoder = PairwiseEncoder(1, (2, 3, 2), True, None, "intra", layout)
    values, B = random_values(encoder, 4), torch.randn(12, 2, dtype=torch.float64)

    def product(values):
        return tsgu.sparse_mm(encoder(values), B)

    expected = reference(encoder, values) @ B
    oracle.assert_close(torch.func.vmap(product)(values), expected)
    oracle.assert_close(
        torch.compile(product, fullgraph=True, backend="aot_eager")(values[0]), expected[0]
    )
    jacobian = torch.func.jacrev(product)(values[0])
    forward = torch.func.jacfwd(product)(values[0])
    oracle.assert_close(jacobian, forward)
    dense = torch.autograd.functional.jacobian(lambda v: reference(encoder, v) @ B, values[0])
    oracle.assert_close(jacobian, dense)


def test_transposed_values():
    encoder = PairwiseEncoder(1, (1, 3, 3))
    values = random_values(encoder).mT.contiguous().mT
    assert torch.equal(encoder(values).to_dense(), reference(encoder, values))


# ===-- As a module ---------------------------------------------------------------===#


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moves_and_copies(layout):
    encoder = PairwiseEncoder(1, (1, 2, 3), True, layout=layout)
    values = random_values(encoder)
    dense = encoder(values).to_dense()
    encoder(values.expand(2, *values.shape))  # whose pattern it keeps
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder)), encoder):
        assert other.double().half().type(torch.float32).share_memory() is other
        assert torch.equal(other(values).to_dense(), dense)
    moved = copy.deepcopy(encoder).to("meta")
    assert moved.device.type == "meta" and encoder.device.type == "cpu"
    if layout is torch.sparse_csr:
        assert moved.crow_indices.device.type == moved.col_indices.device.type == "meta"
    inside = torch.nn.Sequential(torch.nn.Identity(), copy.deepcopy(encoder)).to("meta")
    assert inside[1].device.type == "meta"
    seen = []
    encoder.register_forward_hook(lambda module, arguments, result: seen.append(result.layout))
    encoder(values)
    assert seen == [layout]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_pattern_serves_all_calls(layout):
    encoder = PairwiseEncoder(1, (1, 4, 4), True, layout=layout)
    for lead in ((), (3,)):
        first, second = (tsgu.Pattern.of(encoder(random_values(encoder, *lead))) for _ in range(2))
        assert first.positions.data_ptr() == second.positions.data_ptr()
        assert first.coordinates.data_ptr() == second.coordinates.data_ptr()


# ===-- Deprecated ----------------------------------------------------------------===#


def test_deprecated_encoder():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoders.PairwiseVoxelEncoder is PairwiseVoxelEncoder
    with pytest.warns(DeprecationWarning, match="PairwiseVoxelEncoder is deprecated") as caught:
        encoder = PairwiseVoxelEncoder(1, (1, 2, 2, 2), diag=True, layout=torch.sparse_csr)
    assert caught[0].filename == __file__
    assert encoder.offsets == PairwiseEncoder(1, (1, 2, 2, 2), diag=True).offsets
    values = random_values(encoder)
    assert torch.equal(encoder(values).to_dense(), reference(encoder, values))
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(ValueError, match=r"`volume_shape` must be a 4D tuple .* \[C, H, D, W\]"),
    ):
        PairwiseVoxelEncoder(1, (1, 2, 2))


@pytest.mark.parametrize("module", [encoders, pairwise_encoder])
@pytest.mark.parametrize("name", ["calc_pairwise_coo_indices", "calc_pariwise_coo_indices"])
def test_deprecated_functions(module, name):
    with pytest.warns(DeprecationWarning, match=f"{name}.* is deprecated") as caught:
        function = getattr(module, name)
    assert caught[0].filename == __file__
    assert "calc_pairwise_coo_indices_nd takes" in str(caught[0].message)
    expected = calc_pairwise_coo_indices_nd(1, (2, 2, 2, 1), True, None, "inter")
    actual = function(1, (2, 2, 2, 1), True, None, "inter")
    assert list(actual) == list(expected)
    assert all(torch.equal(actual[offset], expected[offset]) for offset in expected)
    with pytest.raises(ValueError, match="must be a 4D tuple of positive integers"):
        function(1, (1, 2, 2))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


# ===-- Refusals ------------------------------------------------------------------===#


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((1, (3,)), "`volume_shape` must be a tuple of at least 2 positive integers"),
        ((1, (3, 0)), "at least 2 positive integers, representing"),
        ((1, (3, 2.0)), "at least 2 positive integers"),
        ((1, 3), "at least 2 positive integers"),
        ((0.5, (3, 2)), "radius must be >= 1"),
        ((float("nan"), (3, 2)), "radius must be >= 1"),
        ((float("inf"), (3, 2)), "radius must be finite"),
        ((1, (3, 2), False, None, "x"), "must be 'indep', 'intra', or 'inter'"),
        ((1, (1, 2), False, None, "intra"), "must be 'indep' when number of channels is 1"),
        (
            (1, (1, 2), False, None, "indep", torch.sparse_csc),
            "layout must be either torch.sparse_coo or torch.sparse_csr",
        ),
        (
            (1, (1, 2), False, None, "indep", torch.sparse_coo, torch.int16),
            "`indices_dtype` must be torch.int64 or torch.int32",
        ),
    ],
)
def test_arguments_that_are_refused(arguments, text):
    with pytest.raises(ValueError) as caught:
        PairwiseEncoder(*arguments)
    assert text in str(caught.value)


def test_indices_that_do_not_fit():
    with pytest.raises(ValueError, match="indices up to 299, which do not fit in torch.uint8"):
        calc_pairwise_coo_indices_nd(1, (1, 300), dtype=torch.uint8)
    with pytest.raises(ValueError, match="indices are integers"):
        calc_pairwise_coo_indices_nd(1, (1, 300), dtype=torch.float32)
    with pytest.raises(ValueError, match="volume_shape must be a tuple of at least 2 positive"):
        calc_pairwise_coo_indices_nd(1, (1,))
    with pytest.raises(ValueError, match="radius must be >= 1"):
        calc_pairwise_coo_indices_nd(0, (1, 2))


@pytest.mark.parametrize(
    "values, text",
    [
        ([1.0], "values must be a torch.Tensor"),
        (torch.ones(5, 2, 3), r"must have 4 dimensions \(N, C, \*spatial_dims\) or 5 dimensions"),
        (torch.ones(4, 2, 3, 2), r"at index -4 \(4\) must match number of offsets \(5\)"),
        (torch.ones(2, 4, 2, 3, 2), r"at index -4 \(4\) must match number of offsets \(5\)"),
        (torch.ones(5, 3, 3, 2), "Channels do not match: expected 2, got 3"),
        (torch.ones(5, 2, 3, 3), r"Spatial dimensions do not match: expected \(3, 2\), got"),
        (torch.ones(5, 2, 3, 2).half(), "must be either torch.float32 or torch.float64"),
        (torch.ones(5, 2, 3, 2).cfloat(), "must be either torch.float32 or torch.float64"),
    ],
)
def test_values_that_are_refused(values, text):
    with pytest.raises(ValueError, match=text):
        PairwiseEncoder(1, (2, 3, 2), diag=True)(values)


# ===-- Memory --------------------------------------------------------------------===#

STEP = """
import json, sys
import torch, tsgu
from tsgu.encoders import PairwiseEncoder

layout, side = getattr(torch, sys.argv[1]), 24

def step(encoder, values, noise):
    values.grad = None
    tsgu.sparse_triangular_solve(encoder(values), noise, False, transpose=True).sum().backward()

def operands(side):
    encoder = PairwiseEncoder(2, (1, side, side, side), True, False, layout=layout)
    values = 0.01 * torch.randn(len(encoder.offsets), *encoder.volume_shape)
    values[0] = 1
    return encoder, values.requires_grad_(), torch.randn(encoder.volume_numel, 1)

step(*operands(4))                # compiles
base = read("VmRSS")
encoder, values, noise = operands(side)
peak, _ = peak_of(step, encoder, values, noise)
print(json.dumps({"peak": peak - base, "entries": tsgu.values(encoder(values)).numel()}))
"""


@pytest.mark.parametrize("layout", ["sparse_coo", "sparse_csr"])
def test_peak_of_a_sample_of_a_precision(layout):
    measured = measure(STEP, layout)
    # Bytes for each entry: values and gradients of offsets and entries, pattern, levels.
    assert measured["peak"] <= 160 * measured["entries"] + (8 << 20), measured
    # The bound would not hold with a dense matrix.
    assert 160 * measured["entries"] + (8 << 20) < 4 * 24**6 / 8
