"""tsgu.Matrix: what it is made from and turned into, its products, copies and refusals."""

import copy
import io
import pickle

import numpy
import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu

KINDS = {**matrices.ALL, **matrices.OTHERS}
DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
LAYOUTS = [getattr(torch, f"sparse_{name}") for name in ("coo", "csr", "csc", "bsr", "bsc")]


def dense_of(A):
    """A sparse tensor made dense by torch alone."""
    return oracle.dense(oracle.indices_of(A), oracle.stored_values(A), tuple(A.shape))


def case(kind, n=4, m=6, dtype=torch.float64):
    A = KINDS[kind](n, m, dtype)
    return tsgu.Matrix.of(A), A, dense_of(A)


def dense_side(A, columns=3):
    """B of A @ B."""
    return torch.randn(*A.shape[:-2], A.shape[-1], columns, dtype=A.dtype)


# ===-- From and to ---------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_tensor_and_back(kind, dtype):
    M, A, _ = case(kind, dtype=dtype)
    assert (M.shape, M.dtype, M.layout, M.device) == (A.shape, dtype, A.layout, A.device)
    assert (M.ndim, M.dim(), M.size(-1)) == (A.dim(), A.dim(), 6) and not M.requires_grad
    assert torch.equal(M.values, oracle.stored_values(A))
    assert torch.equal(tsgu.values(M), tsgu.values(A))
    again = M.to_torch()
    assert (again.layout, again.shape, again.dtype) == (A.layout, A.shape, dtype)
    assert torch.equal(oracle.indices_of(again), oracle.indices_of(A))
    assert torch.equal(tsgu.values(again), tsgu.values(A))
    assert tsgu.Matrix.of(M) is M and tsgu.Pattern.of(M) is M.pattern


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind, turned, layout):
    """Every layout of every matrix and of its transpose, with the gradient of its values."""
    M, A, dense = case(kind)
    values = M.values.clone().requires_grad_()
    M, dense = M.with_values(values), dense.mT if turned else dense
    M = M.mT if turned else M
    size = (3, 2) if turned else (2, 3)
    blocks = {"blocksize": size} if layout in LAYOUTS[3:] else {}
    if "ragged" in kind and layout is not torch.sparse_coo:
        with pytest.raises(ValueError, match="equal numbers of entries"):
            M.to_torch(layout, **blocks)
        return
    result = M.to_torch(layout, **blocks)
    assert result.layout is layout and result.shape == dense.shape
    oracle.assert_close(dense_of(result.detach()), dense)
    if blocks:
        assert tuple(result.values().shape[-2:]) == size
    # A sum over the matrix, each element with a weight of its own.
    weights = torch.randn_like(dense)
    at = tuple(oracle.indices_of(result.detach()))
    (tsgu.values(result).reshape(-1) * weights[at]).sum().backward()
    own = oracle.indices_of(A)
    expected = (weights.mT if turned else weights)[tuple(own)]
    oracle.assert_close(values.grad, expected)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", [*matrices.MATRICES, "csc32", "csc64", "bsr", "bsc"])
def test_scipy(kind, turned):
    M, A, dense = case(kind, dtype=torch.complex128)
    M, dense = (M.mH, dense.mH) if turned else (M, dense)
    array = M.to_scipy()
    name = str(M.layout).removeprefix("torch.sparse_")
    assert array.format == {"bsc": "coo"}.get(name, name)
    oracle.assert_close(torch.from_numpy(array.toarray()), dense.resolve_conj())
    if array.data.size:
        array.data[:] = 7  # a copy
    assert torch.equal(M.values.resolve_conj().abs(), oracle.stored_values(A).abs())
    again = tsgu.Matrix.of(M.to_scipy())
    assert again.shape == M.shape
    oracle.assert_close(dense_of(again.to_torch()), dense.resolve_conj())


def test_scipy_arrays_of_other_formats():
    dense = torch.tensor([[1.0, 0, 2], [0, 3, 0]])
    for format in ("dia", "lil", "dok", "csr", "csc", "coo", "bsr"):
        array = getattr(scipy.sparse, f"{format}_array")(dense.numpy())
        M = tsgu.Matrix.of(array)
        oracle.assert_close(M @ torch.eye(3), dense)


def test_gradients_reach_a_leaf_of_torch():
    """From a Matrix of it, in its layout."""
    for kind in ("csr32", "coo", "uncoalesced", "batched csr64"):
        A = KINDS[kind](4, 6, torch.float64).requires_grad_()
        B = dense_side(A)
        (tsgu.Matrix.of(A) @ B).square().sum().backward()
        values = oracle.stored_values(A).requires_grad_()
        (oracle.dense(oracle.indices_of(A.detach()), values, A.shape) @ B).square().sum().backward()
        assert A.grad.layout is A.layout
        oracle.assert_close(oracle.stored_values(A.grad), values.grad, terms=1024)


# ===-- Products -------------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_products(kind, dtype):
    M, A, dense = case(kind, dtype=dtype)
    B, left = dense_side(M), torch.randn(*M.shape[:-2], 5, 4, dtype=dtype)
    for result in (M @ B, torch.matmul(M, B), M.matmul(B), tsgu.sparse_mm(M, B)):
        oracle.assert_close(result, dense @ B)
    for result in (left @ M, torch.matmul(left, M), left.matmul(M)):
        oracle.assert_close(result, left @ dense)
    oracle.assert_close(M.mT @ left.mT, dense.mT @ left.mT)
    oracle.assert_close(M.mH @ left.mT, dense.mH @ left.mT)
    oracle.assert_close(M.mT.mT @ B, dense @ B)
    v = torch.randn(6, dtype=dtype)
    oracle.assert_close(M @ v, dense @ v)
    oracle.assert_close(v[:4] @ M, v[:4] @ dense)
    # As torch.matmul broadcasts.
    oracle.assert_close(M @ torch.ones(6, 2, dtype=dtype), dense @ torch.ones(6, 2, dtype=dtype))
    if M.ndim == 2:
        many = torch.randn(5, 6, 2, dtype=dtype)
        oracle.assert_close(M @ many, dense @ many)
        assert M.T.shape == (6, 4) and torch.equal(M.T @ left.mT, M.mT @ left.mT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("product", ["A @ B", "B @ A", "A.mT @ B", "A.mH @ B"])
def test_derivatives_of_products(kind, product):
    dtype = torch.complex128 if product == "A.mH @ B" else torch.float64
    M, A, _ = case(kind, dtype=dtype)
    indices, shape = oracle.indices_of(A), tuple(A.shape)
    turned = product in ("A.mT @ B", "A.mH @ B")
    B = torch.randn(*shape[:-2], 4 if turned else 6, 2, dtype=dtype, requires_grad=True)
    if product == "B @ A":
        B = torch.randn(*shape[:-2], 2, 4, dtype=dtype, requires_grad=True)
    values = M.values.clone().requires_grad_()

    def ours(values, B):
        return eval(product, {"A": M.with_values(values), "B": B})

    def reference(values, B):
        return eval(product, {"A": oracle.dense(indices, values, shape), "B": B})

    oracle.assert_same_derivatives(ours, reference, (values, B), order=2)


@pytest.mark.parametrize("kind", ["csr32", "coo", "csc64", "batched csr32", "ragged coo"])
def test_a_batch_of_values_on_one_pattern(kind):
    M, A, _ = case(kind)
    values = torch.randn(3, M.pattern.entries, dtype=torch.float64, requires_grad=True)
    batch = M.with_values(values)
    indices = oracle.indices_of(A)
    dense = torch.stack([oracle.dense(indices, v, tuple(A.shape)) for v in values])
    assert batch.shape == dense.shape
    B = dense_side(M).requires_grad_()
    for given in (B, B.expand(3, *B.shape)):
        results = (batch @ given).sin(), (dense @ given).sin()
        oracle.assert_close(*(x.detach() for x in results))
        gradients = [torch.autograd.grad(x.sum(), (values, B), retain_graph=True) for x in results]
        for actual, expected in zip(*gradients, strict=True):
            oracle.assert_close(actual, expected, terms=1024)
    with pytest.raises(ValueError, match=r"torch\.func\.vmap"):
        batch.to_torch()
    with pytest.raises(ValueError, match=r"torch\.func\.vmap"):
        tsgu.values(batch)


def test_an_empty_matrix():
    for shape in ((0, 3), (3, 0), (0, 0), (3, 4)):
        M = tsgu.Matrix(tsgu.Pattern.coo(torch.zeros(2, 0).long(), shape), torch.zeros(0))
        assert (M @ torch.ones(shape[1], 2)).tolist() == torch.zeros(shape[0], 2).tolist()
        assert M.T.shape == shape[::-1]
        for layout in LAYOUTS[:3]:
            assert M.to_torch(layout).shape == shape
        assert M.to_scipy().shape == shape


# ===-- The kind that is given ------------------------------------------------------===#


def test_results_are_of_the_kind_that_is_given():
    A = matrices.csr(4, 4)
    C = matrices.coo(4, 4)
    for make in (lambda A: A, tsgu.Matrix.of):
        kind = type(make(A))
        results = [tsgu.sparse_softmax(make(A), -1), tsgu.utils.convert_coo_to_csr(make(C))]
        results += [tsgu.utils.stack_csr([make(A), make(A)])]
        joined = tsgu.utils.sparse_block_diag(make(A), A)
        results += [joined, *tsgu.utils.sparse_block_diag_split(joined, (4, 4), (4, 4))]
        assert all(type(result) is kind for result in results)
        assert results[1].layout is torch.sparse_csr


@pytest.mark.parametrize("kind", ["csr64", "coo", "csc32", "bsr", "batched csr32", "ragged coo"])
@pytest.mark.parametrize("dim", [-1, -2])
def test_softmax_of_a_turned_matrix(kind, dim):
    M, A, dense = case(kind)
    indices = oracle.indices_of(A)
    expected = oracle.softmax(indices, M.values, tuple(A.shape), -1 if dim == -2 else -2)
    oracle.assert_close(tsgu.sparse_softmax(M.mT, dim).values, expected)
    weights = tsgu.sparse_softmax(M.mT, dim)
    assert weights.shape == M.mT.shape and weights.pattern == M.mT.pattern


@pytest.mark.parametrize("make", ["coo", "csr", "csc", "bsr"])
def test_helpers_take_turned_matrices(make):
    dense = torch.tensor([[1.0, 0, 2, 0], [0, 3, 0, 4]]).double()
    sizes = {"blocksize": (1, 2)} if make == "bsr" else {}
    M = tsgu.Matrix.of(dense.to_sparse(layout=getattr(torch, f"sparse_{make}"), **sizes)).mT
    both = tsgu.utils.sparse_block_diag(M, M)
    oracle.assert_close(both @ torch.eye(4).double(), torch.block_diag(dense.mT, dense.mT))
    first, second = tsgu.utils.sparse_block_diag_split(both, (4, 2), (4, 2))
    oracle.assert_close(first @ torch.eye(2).double(), dense.mT)
    oracle.assert_close(second @ torch.eye(2).double(), dense.mT)


# ===-- What it is --------------------------------------------------------------------===#


def test_it_reads_well():
    pattern = tsgu.Pattern.csr([0, 1, 2], [0, 2], 3)
    M = tsgu.Matrix(pattern, torch.ones(2))
    assert repr(M) == "Matrix(CSR, shape=(2, 3), entries=2, dtype=torch.float32)"
    M = tsgu.Matrix(pattern, torch.ones(2, device="meta", requires_grad=True)).T
    assert repr(M) == (
        "Matrix(CSC, shape=(3, 2), entries=2, dtype=torch.float32, device='meta', "
        "requires_grad=True)"
    )


def test_it_is_immutable():
    M, _, _ = case("csr64")
    for name in ("values", "pattern", "shape", "anything"):
        with pytest.raises(AttributeError):
            setattr(M, name, None)
    with pytest.raises(AttributeError, match="with_values"):
        M.values = M.values


def test_patterns_compare_by_what_they_say():
    for kind, make in KINDS.items():
        A, other = make(4, 6, torch.float64), make(4, 6, torch.float64)
        pattern, same = tsgu.Pattern.of(A), tsgu.Pattern.of(A.clone())
        assert pattern == same and hash(pattern) == hash(same)
        assert pattern != tsgu.Pattern.of(other) or torch.equal(
            oracle.indices_of(A), oracle.indices_of(other)
        ), kind
        turned = pattern.transposed()
        assert turned != pattern and turned.transposed() == pattern
        assert pattern != A and {pattern: 1}[same] == 1
    strided = torch.tensor([0, 1, 0, 2, 1, 3])
    assert tsgu.Pattern.csr(strided[::2], [0], 4) != tsgu.Pattern.csr(strided[:3], [0], 4)


@pytest.mark.parametrize("kind", KINDS)
def test_to(kind):
    M, _, dense = case(kind)
    single = M.to(torch.float32)
    assert single.dtype is torch.float32 and single.pattern is M.pattern
    B = dense_side(single)
    oracle.assert_close(single.to("cpu") @ B, dense.float() @ B)
    away = M.to("meta")
    assert away.device.type == "meta" and away.pattern.positions.device.type == "meta"
    assert away.layout is M.layout and away.shape == M.shape
    values = M.values.clone().requires_grad_()
    M.with_values(values).to(torch.float32).values.sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))


COPIES = {
    "pickle": lambda M: pickle.loads(pickle.dumps(M)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("kind", KINDS)
def test_copies(kind, make):
    M, _, dense = case(kind)
    for matrix, expected in ((M, dense), (M.mT, dense.mT)):
        again = COPIES[make](matrix)
        assert again.pattern == matrix.pattern and torch.equal(again.values, matrix.values)
        assert again.layout is matrix.layout
        B = torch.randn(*expected.shape[:-2], expected.shape[-1], 2, dtype=torch.float64)
        oracle.assert_close(again @ B, expected @ B)
    if make == "deepcopy":
        assert again.values.data_ptr() != matrix.values.data_ptr() or not matrix.values.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_saved_as_weights(kind):
    """torch.load reads it without being told that the file is to be trusted."""
    M, _, _ = case(kind)
    buffer = io.BytesIO()
    torch.save({"A": M, "of": M.mT}, buffer)
    buffer.seek(0)
    again = torch.load(buffer, weights_only=True)
    assert again["A"].pattern == M.pattern and torch.equal(again["A"].values, M.values)
    assert again["of"].pattern == M.mT.pattern


def test_a_parameter_as_values_trains():
    torch.manual_seed(1)
    target = matrices.csr(6, 5, torch.float32)
    pattern, B = tsgu.Pattern.of(target), torch.eye(5)
    for optimizer in (torch.optim.Adam, torch.optim.SGD):
        weight = torch.nn.Parameter(torch.zeros(pattern.entries))
        steps = optimizer([weight], lr=0.3)
        for _ in range(150):
            steps.zero_grad()
            (tsgu.Matrix(pattern, weight) @ B - target.to_dense()).square().sum().backward()
            torch.nn.utils.clip_grad_norm_([weight], 10.0)
            steps.step()
        torch.testing.assert_close(weight.detach(), target.values(), rtol=0, atol=1e-2)


# ===-- Refusals ----------------------------------------------------------------------===#


def refusals():
    pattern = tsgu.Pattern.csr([0, 1, 2], [0, 2], 3)
    M = tsgu.Matrix(pattern, torch.ones(2))
    batch = tsgu.Matrix.of(matrices.batched_csr(2, 3, 3))
    S = torch.eye(3).to_sparse_csr()
    return {
        "no pattern": (lambda: tsgu.Matrix(S, torch.ones(2)), TypeError, r"tsgu\.Matrix\.of\(A\)"),
        "no tensor": (lambda: tsgu.Matrix(pattern, [1.0, 2.0]), TypeError, "not list"),
        "sparse values": (lambda: tsgu.Matrix(pattern, S), TypeError, "sparse_csr"),
        "too many values": (lambda: tsgu.Matrix(pattern, torch.ones(3)), ValueError, r"\(2,\)"),
        "values of rank 3": (
            lambda: tsgu.Matrix(pattern, torch.ones(1, 1, 2)),
            ValueError,
            r"\(k, 2\)",
        ),
        "of dense": (lambda: tsgu.Matrix.of(torch.eye(3)), TypeError, r"A\.to_sparse_csr\(\)"),
        "of an array": (lambda: tsgu.Matrix.of(numpy.eye(3)), TypeError, "not ndarray"),
        "T of a batch": (lambda: batch.T, ValueError, r"A\.mT"),
        "sparse by sparse": (lambda: S @ M, ValueError, "have no product"),
        "by a number": (lambda: M @ 2, TypeError, "a torch.Tensor, not by int"),
        "and a number": (lambda: M + 2, TypeError, "B should be a Matrix"),
        "below a number": (lambda: 2 / M, TypeError, "unsupported operand"),
        "below a tensor": (lambda: torch.ones(3) / M, TypeError, "unsupported operand"),
        "by a scalar": (lambda: M @ torch.tensor(2.0), ValueError, "no product"),
        "shapes": (lambda: M @ torch.ones(2, 2), ValueError, r"\(2, 3\).*\(2, 2\).*\(3, p\)"),
        "shapes of a vector": (lambda: M @ torch.ones(2), ValueError, "no product"),
        "shapes from the left": (lambda: torch.ones(2, 3) @ M, ValueError, "no product"),
        "shapes of a batch": (lambda: batch @ torch.ones(3, 3, 2).double(), ValueError, "no prod"),
        "complex B": (lambda: M @ torch.ones(3).cfloat(), TypeError, r"A\.to\(torch\.complex64\)"),
        "integers": (lambda: M.to(torch.int64) @ torch.ones(3).long(), TypeError, "float32"),
        "another device": (lambda: M.to("meta") @ torch.ones(3), TypeError, "CPU"),
        "torch's functions": (lambda: torch.sin(M), TypeError, r"tsgu\.values\(A\)"),
        "torch's methods": (lambda: M.cumsum(), AttributeError, r"A\.to_torch\(\)"),
        "no such layout": (lambda: M.to_torch(torch.strided), ValueError, "sparse layouts"),
        "no blocksize": (lambda: M.to_torch(torch.sparse_bsr), ValueError, "blocksize"),
        "blocks that do not fit": (
            lambda: M.to_torch(torch.sparse_bsr, (2, 2)),
            ValueError,
            "do not divide",
        ),
        "SciPy of a batch": (lambda: batch.to_scipy(), ValueError, "no batches"),
        "to CuPy": (lambda: tsgu.cupy.t2c_csr(M), TypeError, r"A\.to_torch\(torch\.sparse_csr\)"),
        "to JAX": (lambda: tsgu.jax.t2j_coo(M), TypeError, r"A\.to_torch\(torch\.sparse_coo\)"),
    }


@pytest.mark.parametrize("name", refusals())
def test_refusals_say_what_to_write(name):
    call, kind, text = refusals()[name]
    with pytest.raises(kind, match=text):
        call()


def test_b_of_another_dtype_is_converted():
    M, _, dense = case("csr64")
    B = torch.ones(6, 2)
    with pytest.warns(UserWarning, match=r"B\.to\(torch\.float64\)"):
        oracle.assert_close(M @ B, dense @ B.double())


def test_corrupt_index_tensors_are_refused_at_each_use():
    pattern = tsgu.Pattern.csr(torch.tensor([0, 1, 2]), torch.tensor([0, 9]), 3)
    M = tsgu.Matrix(pattern, torch.ones(2))
    calls = [
        lambda: M @ torch.ones(3),
        lambda: torch.ones(2) @ M,
        lambda: M.to_scipy(),
        lambda: M.to_torch(torch.sparse_coo),
        lambda: tsgu.sparse_softmax(M, -1),
        lambda: tsgu.utils.sparse_block_diag(M, M),
    ]
    for call in calls:
        with pytest.raises(tsgu.PatternError, match="column 9"):
            call()


def test_writes_to_index_tensors_between_forward_and_backward():
    positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 2])
    B = torch.ones(3, 2, requires_grad=True)
    M = tsgu.Matrix(tsgu.Pattern.csr(positions, coordinates, 3), torch.ones(2))
    result = M @ B
    coordinates[0] = 1
    assert (M @ torch.eye(3)).tolist() == [[0, 1, 0], [0, 0, 1]]
    with pytest.raises(RuntimeError, match="index tensors"):
        result.sum().backward()
