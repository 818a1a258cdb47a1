"""A new operator is one .mlir text: gradients, torch.compile and batches come with it."""

import os

import numpy as np
import pytest
import torch

import matrices
import oracle
import tsgu

# y_i = sum over j of a_ij^2 w_j
WEIGHTED_ROW_SUM = """
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>

func.func @weighted_row_sum(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                            %w: tensor<?xf64> {tsgu.name = "w"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #column, #row],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A, %w : tensor<?x?xf64, #CSR>, tensor<?xf64>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %x: f64, %sum: f64):
    %square = arith.mulf %a, %a : f64
    %term = arith.mulf %square, %x : f64
    %next = arith.addf %sum, %term : f64
    linalg.yield %next : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
"""


# y = B (A x), of two patterns
CHAIN = """
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @chain(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                 %B: tensor<?x?xf64, #CSR> {tsgu.name = "B", tsgu.pattern = @B},
                 %x: tensor<?xf64> {tsgu.name = "x"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %m = tensor.dim %B, %c0 : tensor<?x?xf64, #CSR>
  %empty_n = tensor.empty(%n) : tensor<?xf64>
  %init_n = linalg.fill ins(%zero : f64) outs(%empty_n : tensor<?xf64>) -> tensor<?xf64>
  %Ax = linalg.matvec ins(%A, %x : tensor<?x?xf64, #CSR>, tensor<?xf64>)
                      outs(%init_n : tensor<?xf64>) -> tensor<?xf64>
  %empty_m = tensor.empty(%m) : tensor<?xf64>
  %init_m = linalg.fill ins(%zero : f64) outs(%empty_m : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.matvec ins(%B, %Ax : tensor<?x?xf64, #CSR>, tensor<?xf64>)
                     outs(%init_m : tensor<?xf64>) -> tensor<?xf64>
  return %y : tensor<?xf64>
}
"""

# Y_ihj = sum over k of a_ik B_khj
TENSOR_PRODUCT = """
#CSR = #sparse_tensor.encoding<{ map = (i, k) -> (i : dense, k : compressed) }>

func.func @tensor_product(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                          %B: tensor<?x?x?xf64> {tsgu.name = "B"}) -> tensor<?x?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f64
  %m = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %h = tensor.dim %B, %c1 : tensor<?x?x?xf64>
  %p = tensor.dim %B, %c2 : tensor<?x?x?xf64>
  %empty = tensor.empty(%m, %h, %p) : tensor<?x?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?x?xf64>) -> tensor<?x?x?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i, h, j, k) -> (i, k)>,
                                        affine_map<(i, h, j, k) -> (k, h, j)>,
                                        affine_map<(i, h, j, k) -> (i, h, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?x?xf64>) outs(%init : tensor<?x?x?xf64>) {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %term = arith.mulf %a, %b : f64
    %next = arith.addf %y, %term : f64
    linalg.yield %next : f64
  } -> tensor<?x?x?xf64>
  return %Y : tensor<?x?x?xf64>
}
"""

# Y_ij = X_ij + X_ij
DOUBLE = """
func.func @double(%X: tensor<?x?xf64> {tsgu.name = "X"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %X, %c0 : tensor<?x?xf64>
  %n = tensor.dim %X, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf64>
  %Y = linalg.add ins(%X, %X : tensor<?x?xf64>, tensor<?x?xf64>)
                  outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %Y : tensor<?x?xf64>
}
"""


@pytest.fixture(scope="module")
def weighted_row_sum():
    return tsgu.load_program(WEIGHTED_ROW_SUM)


def case(dtype=torch.float64):
    A = matrices.csr(6, 7, dtype)
    values = A.values().clone().requires_grad_()
    w = torch.randn(7, dtype=dtype, requires_grad=True)
    indices = oracle.indices_of(A)

    def reference(values, w):
        return (oracle.dense(indices, values, A.shape) ** 2) @ w

    return tsgu.Pattern.of(A), reference, values, w


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_new_operator_and_its_gradients(weighted_row_sum, dtype):
    pattern, reference, values, w = case(dtype)
    oracle.assert_same_derivatives(
        lambda v, x: weighted_row_sum(pattern, v, x), reference, (values, w), order=2
    )


def test_transforms_of_a_new_operator(weighted_row_sum):
    pattern, reference, values, w = case()
    for transform in (torch.func.hessian, torch.func.jacfwd):
        oracle.assert_close(
            transform(lambda v: weighted_row_sum(pattern, v, w.detach()))(values.detach()),
            transform(lambda v: reference(v, w.detach()))(values.detach()),
        )


def test_a_new_operator_compiled(weighted_row_sum):
    pattern, reference, values, w = case()
    compiled = torch.compile(
        lambda v, x: weighted_row_sum(pattern, v, x) * 2, fullgraph=True, backend="aot_eager"
    )
    actual, expected = compiled(values, w), 2 * reference(values, w)
    oracle.assert_close(actual.detach(), expected.detach())
    for left, right in zip(
        torch.autograd.grad(actual.sum(), (values, w)),
        torch.autograd.grad(expected.sum(), (values, w)),
        strict=True,
    ):
        oracle.assert_close(left, right)


def test_a_batch_of_it():
    tsgu.load_program(WEIGHTED_ROW_SUM)
    A = matrices.coo(4, 5, items=3)
    w = torch.randn(3, 5, dtype=torch.float64)
    result = tsgu.operator("weighted_row_sum/batch")(tsgu.Pattern.of(A), A._values(), w)
    oracle.assert_close(result, (A.to_dense() ** 2 @ w.unsqueeze(-1)).squeeze(-1))


def test_two_patterns():
    chain = tsgu.load_program(CHAIN)
    first, second = matrices.coo(5, 6), matrices.csr(4, 5)
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    values = [oracle.stored_values(M).requires_grad_() for M in (first, second)]
    patterns = [tsgu.Pattern.of(M) for M in (first, second)]
    indices = [oracle.indices_of(M) for M in (first, second)]

    def reference(a, b, x):
        A, B = oracle.dense(indices[0], a, (5, 6)), oracle.dense(indices[1], b, (4, 5))
        return B @ (A @ x)

    def ours(a, b, x):
        return chain(*patterns, a, b, x)

    oracle.assert_same_derivatives(ours, reference, (*values, x), order=2)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    oracle.assert_close(compiled(*values, x).detach(), reference(*values, x).detach())


@pytest.mark.parametrize("heads, columns", [(1, 3), (2, 300), (3, 1), (5, 8), (300, 2)])
def test_rows_of_two_dense_dimensions(heads, columns):
    product = tsgu.load_program(TENSOR_PRODUCT)
    A = matrices.csr(6, 7, torch.float64)
    indices, pattern = oracle.indices_of(A), tsgu.Pattern.of(A)
    values = oracle.stored_values(A).requires_grad_()
    B = torch.randn(7, heads, columns, dtype=torch.float64, requires_grad=True)
    oracle.assert_same_derivatives(
        lambda v, b: product(pattern, v, b),
        lambda v, b: torch.einsum("ik,khj->ihj", oracle.dense(indices, v, A.shape), b),
        (values, B),
        order=1,
        terms=4096,
    )


@pytest.mark.parametrize("shape", [(1, 3), (1, 300), (2, 20000), (13, 5000), (300, 300)])
def test_few_and_many_rows_of_a_dense_program(shape):
    X = torch.randn(shape, dtype=torch.float64)
    oracle.assert_close(tsgu.load_program(DOUBLE)(X), 2 * X)


def test_from_a_file_and_under_another_name(tmp_path):
    path = tmp_path / "program.mlir"
    path.write_text(WEIGHTED_ROW_SUM)
    pattern, reference, values, w = case()
    for given in (path, str(path)):
        op = tsgu.load_program(given, name="squares_of_rows")
        oracle.assert_close(op(pattern, values, w).detach(), reference(values, w).detach())


def test_programs_that_are_refused(weighted_row_sum):
    with pytest.raises(tsgu.CompileError):
        tsgu.load_program("func.func @nonsense(\n", name="nonsense")
    with pytest.raises(tsgu.CompileError):
        tsgu.load_program("module {}\n")
    with pytest.raises(tsgu.CompileError):
        tsgu.load_program(WEIGHTED_ROW_SUM.replace("mulf %a, %a", "addf %a, %a"))
    with pytest.raises(ValueError, match="no name"):
        tsgu.load_program(WEIGHTED_ROW_SUM, name="a/b")
    with pytest.raises(FileNotFoundError):
        tsgu.load_program("no/such/file.mlir")


# ===-- Names ------------------------------------------------------------------===#


def values_and_gradients(op, pattern, values, w):
    result = op(pattern, values, w)
    return result.detach(), *torch.autograd.grad(result.sum(), (values, w))


def test_an_edited_program_takes_the_place_of_the_one_before():
    pattern, reference, values, w = case()
    square = tsgu.load_program(WEIGHTED_ROW_SUM, name="edited")
    compiled = torch.compile(
        lambda v, x: square(pattern, v, x), fullgraph=True, backend="aot_eager"
    )
    expected = values_and_gradients(lambda p, v, x: reference(v, x), pattern, values, w)

    def is_the_first(op):
        for left, right in zip(values_and_gradients(op, pattern, values, w), expected, strict=True):
            oracle.assert_close(left, right)

    is_the_first(square)
    is_the_first(lambda p, v, x: compiled(v, x))
    edited = WEIGHTED_ROW_SUM.replace("mulf %a, %a", "mulf %a, %x")
    with pytest.raises(tsgu.CompileError, match="replace=True"):
        tsgu.load_program(edited, name="edited")
    is_the_first(tsgu.operator("edited"))

    row_sum = tsgu.load_program(edited, name="edited", replace=True)

    def second(p, v, x):  # the sum of a_ij w_j^2, for a_ij > 0
        return reference(v.sqrt(), x.square())

    positive = values.detach().abs().requires_grad_()
    wanted = values_and_gradients(second, pattern, positive, w)
    for op in (row_sum, tsgu.operator("edited")):
        for left, right in zip(values_and_gradients(op, pattern, positive, w), wanted, strict=True):
            oracle.assert_close(left, right)
        given = torch.ones(6, dtype=torch.float64)
        gradient = tsgu.operator("edited/vjp0")(pattern, positive, w, given)
        oracle.assert_close(gradient.detach(), wanted[1])
    # What was made before keeps what it was.
    is_the_first(square)
    is_the_first(lambda p, v, x: compiled(v, x))
    assert tsgu.load_program(WEIGHTED_ROW_SUM, name="edited", replace=True) is square
    is_the_first(tsgu.operator("edited"))


def test_names_of_the_library_are_not_taken():
    with pytest.raises(tsgu.CompileError, match="a program of the library"):
        tsgu.load_program(WEIGHTED_ROW_SUM, name="spmm", replace=True)


def test_programs_are_listed(weighted_row_sum):
    listed = tsgu.programs()
    assert {"spmm", "softmax", "solve", "weighted_row_sum"} <= listed.keys()
    assert str(listed["weighted_row_sum"]) == (
        "(A: sparse (s0, s1) on A, w: dense (s1)) -> dense (s0)"
    )
    assert listed["weighted_row_sum"] == weighted_row_sum.signature
    for name in listed:
        assert tsgu.operator(name).signature == listed[name]


def test_a_misspelt_program_names_the_nearest(weighted_row_sum):
    with pytest.raises(tsgu.CompileError, match="no program 'spmmm', but 'spmm' or 'sddmm'"):
        tsgu.operator("spmmm")
    with pytest.raises(tsgu.CompileError, match="but 'weighted_row_sum'"):
        tsgu.operator("weigted_row_sum/batch")
    with pytest.raises(tsgu.CompileError, match=r"no program 'zzz'; tsgu.programs\(\) lists all"):
        tsgu.operator("zzz/vjp0")
    with pytest.raises(tsgu.CompileError, match="there are batch, transpose, jvp<operand>"):
        tsgu.operator("spmm/vjpp")


def test_a_refused_gradient_is_announced():
    text = (
        WEIGHTED_ROW_SUM.replace("@weighted_row_sum", "@row_erfc")
        .replace("arith.mulf %a, %a", "math.erfc %a")
        .replace("(%init : tensor<?xf64>) {", "(%init : tensor<?xf64>) attrs = {tsgu.sampled} {")
    )
    with pytest.warns(
        UserWarning, match="row_erfc has no gradient by A: .*no derivative rule"
    ) as w:
        row_erfc = tsgu.load_program(text)
    assert len(w) == 1
    assert w[0].filename == __file__
    assert row_erfc.refused.keys() == {"A"}
    pattern, _, values, w = case()
    if os.environ.get("TSGU_DEVICE") == "emulator":  # what has no rule has no code there, either
        with pytest.raises(tsgu.CompileError, match="has no code for devices") as refusal:
            row_erfc(pattern, values.detach(), w)
        assert str(refusal.value).count("has no code for devices") == 1
        return
    assert row_erfc(pattern, values.detach(), w).shape == (6,)
    with pytest.raises(tsgu.CompileError, match="no derivative rule"):
        row_erfc(pattern, values, w).sum().backward()
    # What depends on w alone needs no rule of the others.
    w = w.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(row_erfc(pattern, values.detach(), w).sum(), w)
    entries = torch.erfc(values.detach())
    expected = torch.zeros_like(w).index_add(0, pattern.entry_indices()[1], entries)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize(
    ("combiner", "start", "reference"),
    [
        ("maximumf", "0xFFF0000000000000", np.maximum),
        ("minimumf", "0x7FF0000000000000", np.minimum),
        ("maxnumf", "0xFFF0000000000000", np.fmax),
        ("minnumf", "0x7FF0000000000000", np.fmin),
    ],
)
def test_extremes(combiner, start, reference):
    """Of rows of any length; NaN comes through, or is passed over."""
    name = f"row_{combiner}"
    text = (
        WEIGHTED_ROW_SUM.replace("@weighted_row_sum", f"@{name}")
        .replace("arith.addf %sum, %term", f"arith.{combiner} %sum, %term")
        .replace("arith.constant 0.0", f"arith.constant {start}")
        .replace("(%init : tensor<?xf64>) {", "(%init : tensor<?xf64>) attrs = {tsgu.sampled} {")
    )
    extremes = tsgu.load_program(text)
    assert extremes.refused == {}
    counts = torch.tensor([0, 1, 3, 5, 17, 40, 40, 2])
    positions = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    columns = torch.cat([torch.arange(n) for n in counts.tolist()])
    ends = positions.tolist()
    initial = -np.inf if start.startswith("0xF") else np.inf
    for dtype in (torch.float32, torch.float64):
        values = torch.randn(len(columns), dtype=dtype)
        values[[2, 30, 31, *range(66, 106), 107]] = torch.nan
        w = torch.ones(40, dtype=dtype)
        result = extremes(tsgu.Pattern.csr(positions, columns, 40), values, w).numpy()
        expected = [
            reference.reduce(values.numpy()[begin:end] ** 2, initial=initial)
            for begin, end in zip(ends, ends[1:], strict=False)
        ]
        np.testing.assert_array_equal(result, np.array(expected, result.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("combiner", "sign"), [("maximumf", 1), ("minnumf", -1)])
def test_gradients_of_extremes(combiner, sign, dtype):
    """Of computed terms, of which several are equal: each has its share, as in torch."""
    text = (
        WEIGHTED_ROW_SUM.replace("@weighted_row_sum", f"@ties_{combiner}")
        .replace("arith.addf %sum, %term", f"arith.{combiner} %sum, %term")
        .replace("arith.constant 0.0", f"arith.constant 0x{'F' if sign > 0 else '7'}FF{0:013}")
        .replace("(%init : tensor<?xf64>) {", "(%init : tensor<?xf64>) attrs = {tsgu.sampled} {")
    )
    extremes = tsgu.load_program(text, replace=True)
    n, m = 7, 40
    pattern = tsgu.Pattern.csr(torch.arange(n + 1) * m, torch.arange(m).repeat(n), m)
    values = (torch.randint(-3, 4, (n * m,)) / 8).to(dtype).requires_grad_()
    w = (torch.randint(1, 3, (m,)) / 4).to(dtype).requires_grad_()
    weight = torch.randint(1, 4, (n,)).to(dtype)
    terms = values.double().view(n, m) ** 2 * w.double()
    expected = terms.amax(1) if sign > 0 else terms.amin(1)
    result = extremes(pattern, values, w)
    assert torch.equal(result, expected.to(dtype))
    found = torch.autograd.grad(result, (values, w), weight)
    wanted = torch.autograd.grad(expected, (values, w), weight.double())
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other.to(dtype))


def test_nothing_is_announced_of_others(weighted_row_sum, recwarn):
    assert weighted_row_sum.refused == {} == tsgu.load_program(CHAIN).refused
    assert not [each for each in recwarn if "no gradient" in str(each.message)]
