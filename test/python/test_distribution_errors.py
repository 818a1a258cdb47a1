"""What distributions refuse, with the texts, and the defects of others that they must not have."""

import re
import warnings

import pytest
import torch
from distribution_tools import FORM_IDS, FORMS, factor, make
from torch.distributions import MultivariateNormal, kl_divergence

import tsgu
from oracle import assert_close
from tsgu.distributions import SparseMultivariateNormal, SparseMultivariateNormalNative
from tsgu.distributions.sparse_multivariate_normal import _batch_sparse_mv

forms = pytest.mark.parametrize("form", FORMS, ids=FORM_IDS)


@pytest.fixture(autouse=True)
def validated():
    """torch's default, which torch.compile turns off for the whole process."""
    wanted = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(True)
    yield
    torch.distributions.Distribution.set_default_validate_args(wanted)


def eye(n=3, items=None, dtype=torch.float32):
    lead = () if items is None else (items,)
    return torch.eye(n, dtype=dtype).expand(*lead, n, n).to_sparse()


def zeros(*shape, **options):
    return torch.zeros(*shape, **options)


REFUSED = {
    "loc of rank 0": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(()), scale_tril=eye()),
        "loc must be one-dimensional, (n,), or a batch, (b, n), and has shape ()",
    ),
    "loc of rank 3": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(2, 2, 3), scale_tril=eye()),
        "loc must be one-dimensional, (n,), or a batch, (b, n), and has shape (2, 2, 3)",
    ),
    "loc sparse": (
        TypeError,
        lambda: SparseMultivariateNormal(eye(), scale_tril=eye()),
        "loc must be a dense torch.Tensor",
    ),
    "diagonal of rank 3": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), zeros(1, 1, 3), eye()),
        "diagonal must be one-dimensional, (n,), or a batch, (b, n), and has shape (1, 1, 3)",
    ),
    "diagonal of another size": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), zeros(4), eye()),
        "diagonal must have as many elements as loc, 3, and has shape (4,)",
    ),
    "no factor": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3)),
        "Exactly one of scale_tril or precision_tril may be specified.",
    ),
    "two factors": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), None, eye(), eye()),
        "Exactly one of scale_tril or precision_tril may be specified.",
    ),
    "dense factor": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=torch.eye(3)),
        "scale_tril must be sparse, COO or CSR, and is torch.strided",
    ),
    "no tensor": (
        TypeError,
        lambda: SparseMultivariateNormal(zeros(3), precision_tril=[[1.0]]),
        "precision_tril must be a sparse torch.Tensor or array",
    ),
    "factor of rank 1": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=torch.ones(3).to_sparse()),
        "scale_tril must be two-dimensional, (n, n), or a batch, (b, n, n), and has shape (3,)",
    ),
    "hybrid factor": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=torch.ones(3, 3, 2).to_sparse(2)),
        "scale_tril must be two-dimensional, (n, n), or a batch, (b, n, n), and has shape (3, 3, ",
    ),
    "factor of another size": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), precision_tril=eye(4)),
        "precision_tril must be (3, 3), as loc is, and has shape (4, 4)",
    ),
    "batches that differ": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(2, 3), torch.ones(3), eye(items=4)),
        "parameters have different batch shapes: loc (2,), diagonal (), scale_tril (4,)",
    ),
    "dtypes that differ": (
        TypeError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=eye(dtype=torch.float64)),
        "parameters must be all float32 or all float64, not loc torch.float32, scale_tril "
        "torch.float64",
    ),
    "whole numbers": (
        TypeError,
        lambda: SparseMultivariateNormal(zeros(3).long(), scale_tril=eye(dtype=torch.int64)),
        "not loc torch.int64, scale_tril torch.int64",
    ),
    "NaN in loc": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3).log() * 0, scale_tril=eye()),
        "loc must be real, and loc[0] is NaN",
    ),
    "NaN in the factor": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=entries([(2, 1, float("nan"))])),
        "scale_tril must be lower triangular and invertible: scale_tril[2, 1] is NaN",
    ),
    "an entry above the diagonal": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), precision_tril=entries([(1, 2, 1.0)])),
        "precision_tril must be lower triangular and invertible: precision_tril[1, 2] is stored "
        "above the diagonal",
    ),
    "an entry above the diagonal beside D": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), torch.ones(3), entries([(0, 2, 1.0)])),
        "scale_tril[0, 2] is stored above the diagonal",
    ),
    "a zero on the diagonal": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), scale_tril=entries([(1, 1, -1.0)])),
        "scale_tril[1, 1] is zero or not stored",
    ),
    "a diagonal that is not stored": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(2, 3), precision_tril=eye(items=2) * batch_mask()),
        "precision_tril[1, 2, 2] is zero or not stored",
    ),
    "negative D": (
        ValueError,
        lambda: SparseMultivariateNormal(
            zeros(2, 3), torch.tensor([[1.0, 1, 1], [1, -2, 1]]), precision_tril=eye()
        ),
        "diagonal must be positive, and diagonal[1, 1] is -2.0",
    ),
    "zero D": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), zeros(3), eye()),
        "diagonal must be positive, and diagonal[0] is 0.0",
    ),
    "D of NaN": (
        ValueError,
        lambda: SparseMultivariateNormal(zeros(3), zeros(3).log() * 0, eye()),
        "diagonal must be positive, and diagonal[0] is nan",
    ),
}


def entries(more):
    """I and more entries, which are added."""
    triples = [(k, k, 1.0) for k in range(3)] + more
    rows, columns, values = zip(*triples, strict=True)
    return torch.sparse_coo_tensor([rows, columns], values, (3, 3))


def batch_mask():
    """All but the last element of the second item."""
    mask = torch.ones(2, 3, 3)
    mask[1, 2, 2] = 0
    return mask.to_sparse()


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    kind, call, text = REFUSED[name]
    with pytest.raises(kind, match=re.escape(text)) as caught:
        call()
    assert type(caught.value) is kind


def test_samples_are_validated():
    mine = SparseMultivariateNormal(zeros(3), scale_tril=eye())
    with pytest.raises(ValueError, match="within the support"):
        mine.log_prob(torch.tensor([0.0, float("nan"), 0.0]))
    with pytest.raises(ValueError, match="event_shape"):
        mine.log_prob(zeros(4))
    unchecked = SparseMultivariateNormal(zeros(3), scale_tril=eye(), validate_args=False)
    assert unchecked.log_prob(torch.tensor([0.0, float("nan"), 0.0])).isnan()


def test_validation_follows_the_default_of_torch():
    torch.distributions.Distribution.set_default_validate_args(False)
    SparseMultivariateNormal(zeros(3), -torch.ones(3), eye())
    with pytest.raises(ValueError, match="diagonal must be positive"):
        SparseMultivariateNormal(zeros(3), -torch.ones(3), eye(), validate_args=True)


def test_different_event_shapes():
    p = SparseMultivariateNormal(zeros(3), scale_tril=eye())
    q = MultivariateNormal(zeros(4), scale_tril=torch.eye(4))
    with pytest.raises(ValueError, match="p has 3 variables and q 4: there is no divergence"):
        kl_divergence(p, q)


@forms
def test_corrupt_factors(form):
    name, ldlt = form
    A = torch.sparse_csr_tensor([0, 1, 3], [0, 0, 7], torch.ones(3), (2, 2), check_invariants=False)
    with pytest.raises(tsgu.PatternError, match="column 7"):
        SparseMultivariateNormal(zeros(2), torch.ones(2) if ldlt else None, **{name: A})


def test_a_singular_precision_is_an_error_where_it_is_solved_with():
    mine = SparseMultivariateNormal(
        zeros(3), precision_tril=entries([(1, 1, -1.0)]), validate_args=False
    )
    with pytest.raises(tsgu.SingularMatrixError, match="row 1"):
        mine.rsample()


# ===-- Diagonals in L D L^T ----------------------------------------------------------===#


@pytest.mark.parametrize("kind", ["coo", "uncoalesced", "csr32", "ragged coo"])
@pytest.mark.parametrize("name", ["scale_tril", "precision_tril"])
def test_a_stored_diagonal_is_that_of_ones(name, kind):
    A = factor(kind, 5)
    D = torch.rand(*A.shape[:-1], dtype=A.dtype) + 0.5
    loc = torch.randn_like(D)
    with pytest.warns(
        UserWarning, match=f"{name} stores a diagonal, which L D L\\^T takes as ones"
    ):
        mine = SparseMultivariateNormal(loc, D, **{name: A})
    unit = A.to_dense().tril(-1) + torch.eye(5, dtype=A.dtype)
    matrix = "covariance_matrix" if name == "scale_tril" else "precision_matrix"
    reference = MultivariateNormal(loc, **{matrix: (unit * D.unsqueeze(-2)) @ unit.mT})
    assert_close(mine.log_prob(loc + 1), reference.log_prob(loc + 1), terms=1 << 10)
    assert_close(mine.variance, reference.variance, terms=1 << 10)
    torch.manual_seed(0)
    sample = mine.sample((3,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explicit = SparseMultivariateNormal(loc, D, **{name: unit.to_sparse()})
    torch.manual_seed(0)
    assert_close(explicit.sample((3,)), sample)


# ===-- Vectors and batches -------------------------------------------------------------===#


@pytest.mark.parametrize("shapes", [((4, 4), (4,)), ((4, 4), (3, 4)), ((2, 4, 4), (2, 4)),
                                    ((2, 4, 4), (3, 2, 4))])  # fmt: skip
def test_vectors_by_a_matrix(shapes):
    of_matrix, of_vector = shapes
    dense, vectors = torch.randn(of_matrix), torch.randn(of_vector)
    for layout in (torch.sparse_coo, torch.sparse_csr):
        A = dense.to_sparse(layout=layout)
        product = _batch_sparse_mv(tsgu.sparse_mm, A, vectors)
        assert_close(product, (dense @ vectors.unsqueeze(-1)).squeeze(-1))
    lower = (dense.tril() + 4 * torch.eye(4)).to_sparse()
    options = {"upper": False, "transpose": True}
    solved = _batch_sparse_mv(tsgu.sparse_triangular_solve, lower, vectors, **options)
    expected = torch.linalg.solve(lower.to_dense().mT, vectors.unsqueeze(-1)).squeeze(-1)
    assert_close(solved, expected)


@pytest.mark.parametrize(
    "shapes", [((4, 4), (2, 3, 4)), ((2, 4, 4), (4,)), ((2, 4, 4), (1, 3, 2, 4))]
)
def test_vectors_of_other_ranks(shapes):
    with pytest.raises(ValueError, match=re.escape("bmat of shape (n, n) takes bvec")):
        _batch_sparse_mv(tsgu.sparse_mm, torch.ones(shapes[0]).to_sparse(), torch.ones(shapes[1]))


# ===-- The native variant -------------------------------------------------------------===#

NATIVE = {
    "batched loc": (lambda: (zeros(2, 3), eye().to_sparse_csr()), "loc must be one-dimensional"),
    "COO": (lambda: (zeros(3), eye()), "scale_tril must be sparse CSR"),
    "dense": (lambda: (zeros(3), torch.eye(3)), "scale_tril must be sparse CSR"),
    "batched": (
        lambda: (zeros(3), torch.eye(3).expand(2, 3, 3).to_sparse_csr()),
        "scale_tril must be two-dimensional (unbatched)",
    ),
    "not square": (
        lambda: (zeros(3), torch.ones(3, 4).to_sparse_csr()),
        "scale_tril must be square, and has shape (3, 4)",
    ),
    "another size": (
        lambda: (zeros(3), eye(4).to_sparse_csr()),
        "scale_tril must have the size of loc, 3, and has shape (4, 4)",
    ),
}


@pytest.mark.parametrize("name", NATIVE)
def test_refusals_of_the_native_variant(name):
    operands, text = NATIVE[name]
    with pytest.raises(ValueError, match=re.escape(text)):
        SparseMultivariateNormalNative(*operands())


@pytest.mark.parametrize("kind", ["csr32", "csr64"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_native_variant(kind, dtype):
    case = make(kind, FORMS[0], dtype=dtype)
    mine = SparseMultivariateNormalNative(case.loc, case.A)
    reference = case.dense(*(x.detach() for x in case.parameters))
    x = torch.randn(4, 6, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_close(mine.log_prob(x), reference.log_prob(x), terms=1 << 10)
        assert_close(mine.variance, reference.variance)
        assert_close(mine.entropy(), reference.entropy(), terms=256)
        torch.manual_seed(0)
        actual = mine.rsample((2, 3))
    torch.manual_seed(0)
    eps = torch.randn(2, 3, 6, dtype=dtype)
    assert_close(actual, case.sample(eps, *(x.detach() for x in case.parameters)))
    for name in ("covariance_matrix", "precision_matrix"):
        with pytest.warns(UserWarning, match=f"{name} is a dense 6 x 6 matrix") as caught:
            matrix = getattr(mine, name)
        assert caught[0].filename == __file__
        assert_close(matrix, getattr(reference, name), terms=1 << 10)
    assert repr(mine).startswith("SparseMultivariateNormalNative(loc: torch.Size([6]), scale_tril")


def test_the_native_variant_expands():
    case = make("csr64", FORMS[0])
    mine = SparseMultivariateNormalNative(case.loc, case.A).expand((2,))
    assert mine.batch_shape == (2,) and mine.sample((3,)).shape == (3, 2, 6)


@pytest.mark.parametrize("name", ["covariance_matrix", "precision_matrix"])
def test_what_is_factorised_is_on_the_cpu(name):
    Q = tsgu.Matrix.of(torch.eye(3).to_sparse_csr()).to("meta")
    with pytest.raises(TypeError, match="an operand is on meta: move it with"):
        SparseMultivariateNormal(torch.zeros(3, device="meta"), **{name: Q})
