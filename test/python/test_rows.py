"""Operands and sums stored by columns, and joined index tensors, against torch's own."""

import itertools

import pytest
import torch

import tsgu
from tsgu._patterns.rows import by_columns, shifted

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.complex128)
ROWS = (1, 2, 3, 5, 8, 13, 64, 67, 130)
COLUMNS = (1, 2, 4, 7, 63, 64, 67, 301)


def identity(n, dtype, items=None):
    """A product with it is a copy of the operand."""
    eye = torch.eye(n, dtype=dtype)
    return eye.to_sparse_csr() if items is None else eye.expand(items, n, n).to_sparse_coo()


@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_of_every_size(dtype):
    for rows, columns in itertools.product(ROWS, COLUMNS):
        x = torch.randn(columns + 3, rows + 2).to(dtype)[1 : columns + 1, 1 : rows + 1].mT
        assert torch.equal(tsgu.sparse_mm(identity(rows, dtype), x), x)
    for rows, columns in ((700, 3001), (3001, 700)):  # on several threads
        x = torch.randn(columns, rows).to(dtype).mT
        assert torch.equal(tsgu.sparse_mm(identity(rows, dtype), x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_of_batches(dtype):
    for shape in ((3, 66, 9), (2, 5, 70), (1, 4, 4), (200, 40, 7)):
        for order in itertools.permutations(range(3)):
            x = torch.randn(shape).to(dtype).permute(order)
            A = identity(x.shape[1], dtype, x.shape[0])
            assert torch.equal(tsgu.sparse_mm(A, x), x)
    x = torch.randn(7, dtype=torch.float64).expand(4, 7).mT
    assert torch.equal(tsgu.sparse_mm(identity(7, torch.float64), x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies(dtype):
    for shape in ((6, 4), (64, 65), (1, 7), (7, 1), (0, 3), (5,), (2, 3, 4)):
        x = torch.randn(shape).to(dtype)
        y = by_columns(x)
        assert torch.equal(y, x) and (x.dim() != 2 or not x.numel() or y.mT.is_contiguous())
        for order in itertools.permutations(range(x.dim())):
            z = torch.ops.tsgu.in_rows(x.permute(order))
            assert torch.equal(z, x.permute(order)) and z.is_contiguous()
            assert not z.numel() or z.data_ptr() != x.data_ptr()
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: by_columns(x) ** 3, x)
    assert torch.autograd.gradgradcheck(lambda x: by_columns(x) ** 3, x)
    mapped = torch.func.vmap(by_columns)(torch.randn(3, 4, 6))
    assert mapped.shape == (3, 4, 6)


# ===-- Sums -----------------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_sums(dtype):
    for count, n in itertools.product(ROWS, COLUMNS):
        shift, x = torch.randn(n).to(dtype), torch.randn(n, count).to(dtype).mT
        assert torch.equal(shifted(shift, x), shift + x) and shifted(shift, x).is_contiguous()
    for items, n in ((1, 5), (4, 3), (3, 70)):
        shift, x = torch.randn(items, n).to(dtype), torch.randn(items, n, 66).to(dtype)
        x = x.permute(2, 0, 1)
        assert torch.equal(shifted(shift, x), shift + x) and shifted(shift, x).is_contiguous()
        other = torch.randn(n, items).to(dtype).mT
        assert torch.equal(shifted(other, x), other + x)
    x = torch.randn(6, 5, 4).to(dtype)
    for order in itertools.permutations(range(3)):
        y = x.permute(order)
        shift = torch.randn(y.shape[1:]).to(dtype)
        assert torch.equal(shifted(shift, y), shift + y)


def test_derivatives_and_transforms():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(5, dtype=torch.float64, requires_grad=True)

    def cubes(shift, x):
        return shifted(shift, x.mT) ** 3

    assert torch.autograd.gradcheck(cubes, (shift, x))
    assert torch.autograd.gradgradcheck(cubes, (shift, x))
    assert torch.autograd.gradcheck(lambda x: cubes(shift.detach(), x), x)
    plain = shift.detach(), x.detach()
    tangents = torch.randn(5, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    _, found = torch.func.jvp(cubes, plain, tangents)
    expected = 3 * (plain[0] + plain[1].mT) ** 2 * (tangents[0] + tangents[1].mT)
    torch.testing.assert_close(found, expected)
    mapped = torch.func.vmap(cubes, (None, 0))(plain[0], plain[1].expand(4, 5, 3))
    assert torch.equal(mapped, cubes(*plain).expand(4, 3, 5))
    compiled = torch.compile(cubes, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(shift, x), cubes(shift, x))


def test_operands_that_do_not_fit():
    op, x = torch.ops.tsgu.shifted_rows, torch.randn(4, 3)
    with pytest.raises(ValueError, match="stored by columns"):
        op(x, torch.randn(3).expand(4, 3))
    with pytest.raises(ValueError, match="expanded"):
        op(x.mT, torch.randn(3, 4))
    with pytest.raises(ValueError, match="expanded"):
        op(x.mT, torch.randn(4).expand(2, 4))
    with pytest.raises((TypeError, ValueError), match="float32 or float64"):
        op(x.mT, torch.randn(4).double().expand(3, 4))


# ===-- Index tensors joined ------------------------------------------------------===#

join_coordinates = torch.ops.tsgu.join_coordinates
join_positions = torch.ops.tsgu.join_positions


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("index", [torch.int32, torch.int64])
def test_coordinates(index, wide):
    extents = [int(n) for n in torch.randint(1, 50, (90,))]
    starts = [sum(extents[:k]) for k in range(len(extents))]
    pieces = [torch.randint(n, (int(torch.randint(9000, ())),), dtype=index) for n in extents]
    expected = torch.cat([piece + start for piece, start in zip(pieces, starts, strict=True)])
    joined = join_coordinates(pieces, extents, wide)
    assert joined.dtype is (torch.int64 if wide else torch.int32)
    assert torch.equal(joined, expected.to(joined.dtype))
    pairs = [torch.stack([piece, piece]).mT.contiguous().mT for piece in pieces]
    assert torch.equal(join_coordinates(pairs, extents + extents, wide), joined.expand(2, -1))


def test_long_pieces_on_several_threads():
    pieces = [torch.randint(9, (1_200_000,)) for _ in range(4)]
    expected = torch.cat([piece + 9 * k for k, piece in enumerate(pieces)])
    assert torch.equal(join_coordinates(pieces, [9] * 4, True), expected)
    pieces[2][1_000_000] = 9
    with pytest.raises(ValueError, match="outside of its extent"):
        join_coordinates(pieces, [9] * 4, True)


@pytest.mark.parametrize("wrong", [-1, 7, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("place", [(0, 0), (3, 4), (5, 2)])
def test_a_coordinate_outside_is_seen(place, wrong):
    pieces = [torch.randint(7, (5,)) for _ in range(6)]
    pieces[place[0]][place[1]] = wrong
    with pytest.raises(ValueError, match="outside of its extent"):
        join_coordinates(pieces, [7] * 6, True)


def test_positions():
    counts = torch.randint(4, (6, 5))
    pieces = [torch.cat([torch.zeros(1, dtype=torch.int64), row.cumsum(0)]) for row in counts]
    expected = torch.cat([torch.zeros(1, dtype=torch.int64), counts.flatten().cumsum(0)])
    entries = counts.sum(1).tolist()
    assert torch.equal(join_positions(pieces, entries, True), expected)
    assert torch.equal(join_positions(pieces, entries, False), expected.int())
    for k, value in ((0, 1), (-1, 99), (2, -1)):
        broken = [piece.clone() for piece in pieces]
        broken[3][k] = value
        with pytest.raises(ValueError, match="begin at 0|outside"):
            join_positions(broken, entries, True)


def test_pieces_that_do_not_fit():
    piece = torch.arange(4)
    for arguments in (
        ([piece], [4, 4], True),
        ([piece, piece.view(2, 2)], [4, 4], True),
        ([piece.view(1, 2, 2)], [4], True),
    ):
        with pytest.raises(ValueError, match="one rank"):
            join_coordinates(*arguments)
    with pytest.raises((TypeError, ValueError, RuntimeError), match="index tensors"):
        join_coordinates([torch.randn(3)], [4], True)
    with pytest.raises(ValueError, match="one rank"):
        join_positions([piece[:0]], [0], True)
    assert join_coordinates([piece[:0], piece], [0, 4], True).tolist() == [0, 1, 2, 3]
