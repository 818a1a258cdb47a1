"""Log-sum-exps of large numbers: nothing that differs by little loses its digits.

Softmax and its like do not change when a constant is added to all entries, so the reference takes
the entries without it, in double precision.
"""

import pytest
import torch

import oracle
import tsgu

# y_ij = f(a_ij, l_i), where l is the log-sum-exp of each row.
TEMPLATE = """
#CSR = #sparse_tensor.encoding<{{ map = (i, j) -> (i : dense, j : compressed) }}>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i) -> (i)>
func.func @{name}(%A: tensor<?x?xf64, #CSR> {{tsgu.name = "A", tsgu.pattern = @A}})
    -> (tensor<?x?xf64, #CSR> {{tsgu.pattern = @A}}) {{
  %c0 = arith.constant 0 : index
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%neg_inf : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %l = linalg.generic {{indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {{tsgu.sampled}} {{
  ^bb0(%a: f64, %o: f64):
    %next = tsgu.logaddexp %o, %a : f64
    linalg.yield %next : f64
  }} -> tensor<?xf64>
  {rows}
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {{indexing_maps = [#entry, #row, #entry],
                       iterator_types = ["parallel", "parallel"]}}
      ins(%A, %L : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {{tsgu.sampled}} {{
  ^bb0(%a: f64, %l_i: f64, %o: f64):
    %half = arith.constant 0.5 : f64
    {payload}
    linalg.yield %y : f64
  }} -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}}
"""


def row_op(payload):
    """%L: one more op over the rows, between the log-sum-exp and what reads it."""
    return f"""%L = linalg.generic {{indexing_maps = [#all, #all], iterator_types = ["parallel"]}}
      ins(%l : tensor<?xf64>) outs(%empty : tensor<?xf64>) {{
  ^bb0(%x: f64, %o: f64):
    %half = arith.constant 0.5 : f64
    {payload}
    linalg.yield %r : f64
  }} -> tensor<?xf64>"""


SUB = "%z = arith.subf %a, %l_i : f64\n    "
EXP = SUB + "%e = math.exp %z : f64\n    "
# name: (op over the rows, payload, the same of z = a - l)
READERS = {
    "softmax": ("", SUB + "%y = math.exp %z : f64", torch.exp),
    "log_softmax": ("", "%y = arith.subf %a, %l_i : f64", lambda z: z),
    "entropy": ("", EXP + "%y = arith.mulf %e, %z : f64", lambda z: z.exp() * z),
    "root": (
        "",
        SUB + "%s = arith.mulf %z, %half : f64\n    %y = math.exp %s : f64",
        lambda z: (z / 2).exp(),
    ),
    "inverse": (
        "",
        "%z = arith.subf %l_i, %a : f64\n    %y = math.exp %z : f64",
        lambda z: (-z).exp(),
    ),
    "square": (
        "",
        SUB + "%s = arith.addf %z, %z : f64\n    %y = math.exp %s : f64",
        lambda z: (2 * z).exp(),
    ),
    "after_sums": (
        "",
        "%neg = arith.negf %l_i : f64\n    %s = arith.addf %neg, %a : f64\n"
        "    %t = arith.addf %s, %half : f64\n    %y = math.exp %t : f64",
        lambda z: (z + 0.5).exp(),
    ),
    "doubled_rows": (
        row_op("%r = arith.addf %x, %x : f64"),
        "%b = arith.addf %a, %a : f64\n    %z = arith.subf %b, %l_i : f64\n"
        "    %y = math.exp %z : f64",
        lambda z: (2 * z).exp(),
    ),
    "negative_rows": (
        row_op("%r = arith.negf %x : f64"),
        "%z = arith.addf %a, %l_i : f64\n    %y = math.exp %z : f64",
        torch.exp,
    ),
}
# An additive mask among them; differences are exact.
OFFSETS = {torch.float32: [0.0, 1e4, 2.0**27, -1e9], torch.float64: [0.0, 1e12, -(2.0**60)]}
CASES = [(dtype, offset) for dtype, offsets in OFFSETS.items() for offset in offsets]


def reader(name):
    rows, payload, function = READERS[name]
    text = TEMPLATE.format(name=f"lse_{name}", rows=rows, payload=payload)
    if not rows:
        text = text.replace("%L :", "%l :").replace("(%A, %L", "(%A, %l")
    return tsgu.load_program(text, f"lse_{name}"), function


def entries(dtype, offset, items=None):
    """(indices, shape, values near the offset, the values less it in double precision)."""
    shape = (6, 7) if items is None else (items, 6, 7)
    generator = torch.Generator().manual_seed(5)
    stored = torch.rand(shape, generator=generator) < 0.6
    stored[..., 1, :] = False
    stored[..., 2, :] = True
    indices = stored.nonzero().T.contiguous()
    small = 4 * torch.randn(indices.shape[1], generator=generator, dtype=torch.float64)
    values = (small + offset).to(dtype)
    return indices, shape, values, values.double() - offset


def log_softmax(indices, values, shape, dim=-1):
    stored = oracle.dense(indices, torch.ones_like(values), shape) > 0
    matrix = torch.where(stored, oracle.dense(indices, values, shape), -torch.inf)
    # Rows without entries would make NaN of their derivatives.
    matrix = torch.where(stored.any(dim, keepdim=True), matrix, 0)
    return torch.log_softmax(matrix, dim)[tuple(indices)]


def derivatives(function, values, order):
    """The result and the gradients of random functionals, each of the one before."""
    generator = torch.Generator().manual_seed(7)
    values = values.clone().requires_grad_()
    results = [function(values)]
    for _ in range(order):
        weight = torch.randn(results[-1].shape, generator=generator, dtype=torch.float64)
        results += torch.autograd.grad(
            results[-1], values, weight.to(values.dtype), create_graph=True
        )
    return [r.detach() for r in results]


def assert_right(actual, expected, roundings=64):
    eps = torch.finfo(actual.dtype).eps
    largest = expected.abs().max().item()
    torch.testing.assert_close(
        actual.double(), expected, rtol=roundings * eps, atol=roundings * eps * largest
    )


@pytest.mark.parametrize(("dtype", "value"), [(torch.float32, 1e8), (torch.float32, -1e9)])
def test_equal_entries_share(dtype, value):
    A = tsgu.csr(
        torch.tensor([0, 2]), torch.tensor([0, 1]), torch.full((2,), value, dtype=dtype), (1, 2)
    )
    assert tsgu.values(tsgu.sparse_softmax(A, -1)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("items", [None, 2])
@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize(("dtype", "offset"), CASES)
def test_each_entry_of_softmax_is_right(dtype, offset, dim, items):
    """Relative to itself, however small it is."""
    indices, shape, values, small = entries(dtype, offset, items)
    y = tsgu.values(tsgu.sparse_softmax(tsgu.coo(indices, values, shape), dim))
    expected = log_softmax(indices, small, shape, dim)
    roundings = 8 + expected.abs()  # a - m is rounded, relative to itself.
    error = (y.double() / expected.exp() - 1).abs()
    assert (error <= roundings * torch.finfo(dtype).eps).all()


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize(("dtype", "offset"), CASES)
def test_derivatives_of_softmax_are_right(dtype, offset, dim):
    indices, shape, values, small = entries(dtype, offset)
    actual = derivatives(
        lambda v: tsgu.values(tsgu.sparse_softmax(tsgu.coo(indices, v, shape), dim)), values, 3
    )
    expected = derivatives(lambda v: log_softmax(indices, v, shape, dim).exp(), small, 3)
    for left, right in zip(actual, expected, strict=True):
        assert_right(left, right)


@pytest.mark.parametrize(("dtype", "offset"), CASES)
@pytest.mark.parametrize("name", READERS)
def test_readers_of_a_log_sum_exp(name, dtype, offset):
    program, function = reader(name)
    indices, shape, values, small = entries(dtype, offset)
    pattern = tsgu.Pattern.coo(indices, shape)
    actual = derivatives(lambda v: program(pattern, v), values, 2)
    expected = derivatives(lambda v: function(log_softmax(indices, v, shape)), small, 2)
    for left, right in zip(actual, expected, strict=True):
        assert_right(left, right, 256)


LOG_SUM_EXP = (
    TEMPLATE[: TEMPLATE.index("  {rows}")]
    .replace("(tensor<?x?xf64, #CSR> {{tsgu.pattern = @A}}) {{", "tensor<?xf64> {{")
    .format(name="log_sum_exp")
    + "  return %l : tensor<?xf64>\n}\n"
)


@pytest.mark.parametrize(("dtype", "offset"), CASES)
def test_gradients_of_a_log_sum_exp(dtype, offset):
    """Not those of its rounded result."""
    program = tsgu.load_program(LOG_SUM_EXP)
    indices, shape, values, small = entries(dtype, offset)
    pattern = tsgu.Pattern.coo(indices, shape)
    rows = [r for r in range(shape[0]) if r != 1]  # Row 1 has no entries.

    def reference(v):
        stored = oracle.dense(indices, torch.ones_like(v), shape) > 0
        matrix = torch.where(stored, oracle.dense(indices, v, shape), -torch.inf)
        return torch.logsumexp(matrix[rows], -1)

    actual = derivatives(lambda v: program(pattern, v)[rows], values, 3)
    expected = derivatives(reference, small, 3)
    assert_right(actual[0], expected[0] + offset, 4)
    for left, right in zip(actual[1:], expected[1:], strict=True):
        assert_right(left, right)
    forward = torch.func.jacfwd(lambda v: program(pattern, v)[rows])(values)
    assert_right(forward, torch.func.jacfwd(reference)(small))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_special_values_of_a_log_sum_exp(dtype):
    program = tsgu.load_program(LOG_SUM_EXP)
    inf, nan, largest = torch.inf, torch.nan, torch.finfo(dtype).max
    matrix = torch.tensor(
        [
            [inf, 1.0, largest],
            [-inf, -inf, -inf],
            [-inf, 2.0, -inf],
            [nan, 1.0, 2.0],
            [nan, inf, 2.0],
            [inf, -inf, inf],
            [largest, largest, -largest],
            [-largest, -largest, -inf],
        ],
        dtype=dtype,
    )
    pattern = tsgu.Pattern.coo(torch.ones(8, 3).nonzero().T.contiguous(), (9, 3))
    result = program(pattern, matrix.reshape(-1))
    assert result[8] == -inf  # Without entries.
    torch.testing.assert_close(result[:8], torch.logsumexp(matrix, 1), equal_nan=True)
    values = matrix.reshape(-1).requires_grad_()
    gradient = torch.autograd.grad(program(pattern, values)[:1].sum(), values)[0][:3]
    assert gradient.isnan().tolist() == [True, False, False] and (gradient[1:] == 0).all()
