"""einsum with sparse operands against torch.einsum of dense ones."""

import random

import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu
from tsgu._programs import user_programs

KINDS = {**matrices.ALL, **matrices.OTHERS}
EXTENTS = {"i": 8, "j": 6, "k": 4, "l": 3, "b": 3, "r": 5}
TWO = [
    "ij,jk->ik",
    "ij,jk->ki",
    "ij->i",
    "ij->j",
    "ij->",
    "ij->ji",
    "ij->ij",
    "ij,j->ij",
    "ji,j->ji",
    "ij,i,j->",
    "ij,ik,jk->ij",
    "ij,ik,jk->ji",
    "ij,ik->jk",
    "ij,k->kij",
    "ij,ik,jl->kl",
    "ij,jk,kl->il",
    "ik,kl,ij->jl",
    "ij,kl->ikjl",
    "ij,j",
    "ij,jj->i",
]
THREE = [
    "bij,bjk->bik",
    "bij,jk->bik",
    "bij,jr,br->ir",
    "bij,jr,ir->br",
    "bij,br,ir->jr",
    "bij->ij",
    "bij,bj,i->b",
    "bij,b,j->i",
    "bij,b,br,jr->i",
    "bij,bj,bi->",
    "bij->bji",
    "bij,bjr,ir->bij",
]


def dense_operands(spec, dtype, generator=torch.randn):
    """For all but the first operand."""
    terms = spec.split("->")[0].split(",")[1:]
    return [generator(*(EXTENTS[c] for c in term), dtype=dtype).requires_grad_() for term in terms]


def check(spec, A, dtype=torch.float64):
    """The value, all gradients and one derivative of them."""
    if A.layout is torch.sparse_coo and not A.is_coalesced():
        A = A.coalesce()
    A = A.detach().requires_grad_()
    others = dense_operands(spec, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    result = tsgu.einsum(spec, A, *others)
    # torch's own einsum does not contract a sum over one operand to a view of it.
    expected = torch.einsum(spec, oracle.dense(indices, values, A.shape), *others)
    sparse = result.layout is not torch.strided
    if sparse:
        found = oracle.indices_of(result)
        assert found.shape == indices.shape
        result, expected = tsgu.values(result).reshape(-1), expected[tuple(found)]
    oracle.assert_close(result.detach(), expected.detach())
    weight = torch.randn_like(expected.detach())
    gradients = torch.autograd.grad(result, (A, *others), weight, create_graph=True)
    wanted = torch.autograd.grad(expected, (values, *others), weight, create_graph=True)
    assert gradients[0].layout is A.layout
    oracle.assert_close(oracle.stored_values(gradients[0]), wanted[0].detach())
    for one, other in zip(gradients[1:], wanted[1:], strict=True):
        oracle.assert_close(one.detach(), other.detach())
    if len(others) > 1:
        again = torch.randn_like(others[0])
        second = torch.autograd.grad(gradients[1], (A, others[1]), again)
        second_wanted = torch.autograd.grad(wanted[1], (values, others[1]), again)
        oracle.assert_close(oracle.stored_values(second[0]), second_wanted[0])
        oracle.assert_close(second[1], second_wanted[1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("spec", TWO + THREE)
def test_values_and_gradients(spec, dtype):
    shape = [EXTENTS[c] for c in spec.partition(",")[0].partition("->")[0]]
    items = shape[0] if len(shape) == 3 else None
    check(spec, matrices.coo(*shape[-2:], dtype, items=items), dtype)


@pytest.mark.parametrize("spec", ["ij,jk->ik", "ij,ik,jk->ij", "ij->ji", "ij,i,j->"])
@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind, spec):
    A = KINDS[kind](8, 6, torch.float64)
    if A.dim() == 3:
        first, _, rest = spec.partition(",") if "," in spec else spec.partition("-")
        rest = rest.replace("->", "->b") if "," in spec else rest.replace(">", ">b")
        spec = f"b{first},{rest}" if "," in spec else f"b{first}-{rest}"
    check(spec, A)


def test_programs_at_random():
    """Any specification of one sparse operand and up to three dense ones."""
    rng = random.Random(7)
    for _ in range(60):
        stored = "".join(rng.sample("ijkl", 2))
        letters = stored + "".join(rng.sample([c for c in "ijklr" if c not in stored], 2))
        terms = [stored]
        for _ in range(rng.randint(0, 3)):
            terms.append("".join(rng.sample(letters, rng.randint(1, 2))))
        present = sorted(set("".join(terms)))
        result = "".join(rng.sample(present, rng.randint(0, min(3, len(present)))))
        shape = [EXTENTS[c] for c in stored]
        check(",".join(terms) + "->" + result, matrices.coo(*shape, torch.float64))


def test_several_operands_on_one_pattern():
    A = matrices.ALL["csr64"](6, 9, torch.float64)
    B = tsgu.csr(A.crow_indices(), A.col_indices(), torch.randn_like(A.values()), A.shape)
    x = torch.randn(9, dtype=torch.float64)
    wanted = torch.einsum("ij,ij,j->i", A.to_dense(), B.to_dense(), x)
    torch.testing.assert_close(tsgu.einsum("ij,ij,j->i", A, B, x), wanted)
    for spec in ("ij,kl->ik", "ij,jk->ijk", "ij,kj->ijk", "ij,jk,j->ik"):
        operands = A, matrices.csr(9, 9), x
        with pytest.raises(NotImplementedError, match="operands 0 and 1 on two patterns"):
            tsgu.einsum(spec, *operands[: spec.count(",") + 1])


@pytest.mark.parametrize("kinds", ["csr64 csr32", "coo csr64", "csc64 coo", "csr32 csc32"])
@pytest.mark.parametrize(
    "spec",
    [
        "ij,jk->ik",
        "ij,kj->ik",
        "ji,jk->ik",
        "ji,kj->ki",
        "ij,jk->",
        "ij,jk->k",
        "ij,jk,kl->il",
        "ij,ij->ij",
        "ij,ji->ij",
        "ij,ij->i",
        "ij,ij,jk->ik",
        "ij,jk,k->i",
        "ij,jk,ik->ik",
        "ij,jk,ki->",
    ],
)
def test_several_patterns(spec, kinds):
    first, second = (KINDS[kind](8, 8, torch.float64) for kind in kinds.split())
    sparse = [x.detach().requires_grad_() for x in (first, second)]
    terms = spec.split("->")[0].split(",")
    others = [torch.randn((8,) * len(term), dtype=torch.float64) for term in terms]
    values = [oracle.stored_values(x).requires_grad_() for x in sparse]
    full = [
        oracle.dense(oracle.indices_of(x), v, x.shape) for x, v in zip(sparse, values, strict=True)
    ]
    wanted = torch.einsum(spec, *full, *others[2:])
    result = tsgu.einsum(spec, *sparse, *others[2:])
    if result.layout is not torch.strided:
        at = tuple(oracle.indices_of(result.detach()))
        assert torch.count_nonzero(wanted.detach()) <= len(at[0])
        result, wanted = tsgu.values(result).reshape(-1), wanted[at]
    oracle.assert_close(result.detach(), wanted.detach())
    weight = torch.randn_like(wanted)
    for found, expected in zip(
        torch.autograd.grad(result, sparse, weight),
        torch.autograd.grad(wanted, values, weight),
        strict=True,
    ):
        oracle.assert_close(oracle.stored_values(found), expected)


def test_several_patterns_of_batches():
    A, B = matrices.coo(6, 7, items=3), matrices.batched_csr(3, 7, 5)
    for spec in ("bij,bjk->bik", "bij,bjk->ik", "bij,bjk->b"):
        full = oracle.dense(oracle.indices_of(B), oracle.stored_values(B), B.shape)
        wanted = torch.einsum(spec, A.to_dense(), full)
        found = tsgu.einsum(spec, A, B)
        found = found if found.layout is torch.strided else found.to_dense()
        torch.testing.assert_close(found, wanted)
    assert type(tsgu.einsum("bij,bjk->bik", A, tsgu.Matrix.of(B))) is tsgu.Matrix


def test_diagonals():
    A = matrices.ALL["csr64"](6, 6, torch.float64)
    x = torch.randn(6, dtype=torch.float64)
    for spec, others in (("ii->", ()), ("ii->i", ()), ("ii,i->i", (x,))):
        wanted = torch.einsum(spec, A.to_dense(), *others)
        torch.testing.assert_close(tsgu.einsum(spec, A, *others), wanted)


def test_other_forms_of_matrices():
    A = matrices.ALL["csr64"](6, 9, torch.float64)
    B = torch.randn(9, 4, dtype=torch.float64)
    array = scipy.sparse.csr_array(A.to_dense().numpy())
    for other in (array, tsgu.Matrix.of(A)):
        torch.testing.assert_close(tsgu.einsum("ij,jk->ik", other, B), A.to_dense() @ B)
    C = torch.randn(4, 4)
    torch.testing.assert_close(tsgu.einsum("ij,jk", C, C), C @ C)
    scaled = tsgu.einsum("ij,j->ij", tsgu.Matrix.of(A), B[:, 0])
    assert type(scaled) is tsgu.Matrix


def test_transforms():
    A = matrices.ALL["csr64"](6, 9, torch.float64)
    pattern = tsgu.Pattern.of(A)
    values = A.values()
    U, V = torch.randn(6, 4, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)

    def f(v):
        return (tsgu.einsum("ij,ik,jk->k", tsgu.Matrix(pattern, v), U, V) ** 3).sum()

    torch.testing.assert_close(torch.func.jacfwd(f)(values), torch.func.grad(f)(values))
    torch.testing.assert_close(
        torch.func.hessian(f)(values), torch.func.jacrev(torch.func.jacrev(f))(values)
    )


def test_a_specification_has_one_program_whatever_its_letters():
    A, x = matrices.coo(4, 5), torch.randn(5, dtype=torch.float64)
    tsgu.einsum("ij,j->i", A, x)
    count = len(user_programs._texts)
    tsgu.einsum("Xq , q -> X", A, x)
    assert len(user_programs._texts) == count
    assert not any(name.startswith("einsum") for name in tsgu.programs())


@pytest.mark.parametrize(
    ("spec", "shapes", "problem", "place"),
    [
        ("ij,jk->il", [(2, 3), (3, 4)], "'l' of the result is in no operand", 8),
        ("ij,jk->iki", [(2, 3), (3, 4)], "'i' is twice in the result", 9),
        ("ij,kj->ik", [(2, 3), (4, 5)], "'j' has 3 elements in operand 0, and 5 in operand 1", 4),
        ("ijk,jk->i", [(2, 3), (3, 4)], "operand 0 has 2 dimensions, not 3", 2),
        ("...ij,j->i", [(2, 3), (3,)], "an ellipsis", 0),
        ("ij,j->i->j", [(2, 3), (3,)], "a second arrow", 7),
        ("ij->i,j", [(2, 3)], "a second result", 5),
        ("ij,j1->i", [(2, 3), (3,)], "'1' is no letter", 4),
    ],
)
def test_errors_point_at_the_letter(spec, shapes, problem, place):
    operands = [torch.ones(shape) for shape in shapes]
    operands[0] = operands[0].to_sparse()
    with pytest.raises(ValueError, match="einsum") as caught:
        tsgu.einsum(spec, *operands)
    first, shown, caret = str(caught.value).split("\n")
    assert problem in first
    assert shown == f"  {spec}" and caret.index("^") - 2 == place


def test_other_errors():
    A = torch.eye(3).to_sparse()
    with pytest.raises(ValueError, match="names 2 operands, and there are 1"):
        tsgu.einsum("ij,j->i", A)
    with pytest.raises(TypeError, match="operand 1 is a int"):
        tsgu.einsum("ij,->i", A, 3)
    with pytest.raises(TypeError, match="specification first"):
        tsgu.einsum(A, "ij->i")
    with pytest.raises(ValueError, match="a matrix or a batch"):
        tsgu.einsum("i->i", torch.ones(3).to_sparse())
    with pytest.raises(tsgu.PatternError):
        bad = torch.sparse_csr_tensor(
            torch.tensor([0, 2, 1]),
            torch.tensor([0, 1]),
            torch.ones(2),
            (2, 2),
            check_invariants=False,
        )
        tsgu.einsum("ij->i", bad)
