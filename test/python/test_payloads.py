"""Every scalar op with a derivative rule, as the payload of a program, to second order.

The program is y_i = sum over the stored entries of row i of f(a_ij, b_j); the reference applies
torch's f to the gathered values. Ties and kinks are tested at points that hit them.
"""

import os

import pytest
import torch

import tsgu

TEMPLATE = """
#CSR = #sparse_tensor.encoding<{{ map = (i, j) -> (i : dense, j : compressed) }}>
func.func @{name}(%A: tensor<?x?xf64, #CSR> {{tsgu.name = "A", tsgu.pattern = @A}},
                  %b: tensor<?xf64> {{tsgu.name = "b"}}) -> tensor<?xf64> {{
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {{
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                       affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}}
      ins(%A, %b : tensor<?x?xf64, #CSR>, tensor<?xf64>) outs(%init : tensor<?xf64>)
      attrs = {{tsgu.sampled}} {{
  ^bb0(%x: f64, %z: f64, %acc: f64):
    {payload}
    %sum = arith.addf %acc, %f : f64
    linalg.yield %sum : f64
  }} -> tensor<?xf64>
  return %y : tensor<?xf64>
}}
"""


def unary(op):
    # Of the sum, so that the chain rule takes part.
    return f"%t = arith.mulf %x, %z : f64\n    %f = {op} %t : f64"


def binary(op):
    return f"%f = {op} %x, %z : f64"


# name: (payload, torch's function of (a, b), range of the values)
CASES = {
    "add": (binary("arith.addf"), lambda x, z: x + z, (-2, 2)),
    "sub": (binary("arith.subf"), lambda x, z: x - z, (-2, 2)),
    "mul": (binary("arith.mulf"), lambda x, z: x * z, (-2, 2)),
    "div": (binary("arith.divf"), lambda x, z: x / z, (0.5, 2)),
    "maximum": (binary("arith.maximumf"), torch.maximum, (-2, 2)),
    "minimum": (binary("arith.minimumf"), torch.minimum, (-2, 2)),
    "maxnum": (binary("arith.maxnumf"), torch.fmax, (-2, 2)),
    "minnum": (binary("arith.minnumf"), torch.fmin, (-2, 2)),
    "copysign": (binary("math.copysign"), torch.copysign, (-2, 2)),
    "pow": (binary("math.powf"), torch.pow, (0.5, 2)),
    "atan2": (binary("math.atan2"), torch.atan2, (0.5, 2)),
    "fma": ("%f = math.fma %x, %z, %x : f64", lambda x, z: x * z + x, (-2, 2)),
    "neg": (unary("arith.negf"), lambda x, z: -(x * z), (-2, 2)),
    "abs": (unary("math.absf"), lambda x, z: (x * z).abs(), (-2, 2)),
    "exp": (unary("math.exp"), lambda x, z: (x * z).exp(), (-2, 2)),
    "exp2": (unary("math.exp2"), lambda x, z: (x * z).exp2(), (-2, 2)),
    "expm1": (unary("math.expm1"), lambda x, z: (x * z).expm1(), (-2, 2)),
    "log": (unary("math.log"), lambda x, z: (x * z).log(), (0.5, 2)),
    "log2": (unary("math.log2"), lambda x, z: (x * z).log2(), (0.5, 2)),
    "log10": (unary("math.log10"), lambda x, z: (x * z).log10(), (0.5, 2)),
    "log1p": (unary("math.log1p"), lambda x, z: (x * z).log1p(), (0.5, 2)),
    "sqrt": (unary("math.sqrt"), lambda x, z: (x * z).sqrt(), (0.5, 2)),
    "rsqrt": (unary("math.rsqrt"), lambda x, z: (x * z).rsqrt(), (0.5, 2)),
    "cbrt": (unary("math.cbrt"), lambda x, z: (x * z) ** (1 / 3), (0.5, 2)),
    "sin": (unary("math.sin"), lambda x, z: (x * z).sin(), (-2, 2)),
    "cos": (unary("math.cos"), lambda x, z: (x * z).cos(), (-2, 2)),
    "tan": (unary("math.tan"), lambda x, z: (x * z).tan(), (-1, 1)),
    "sinh": (unary("math.sinh"), lambda x, z: (x * z).sinh(), (-2, 2)),
    "cosh": (unary("math.cosh"), lambda x, z: (x * z).cosh(), (-2, 2)),
    "tanh": (unary("math.tanh"), lambda x, z: (x * z).tanh(), (-2, 2)),
    "asin": (unary("math.asin"), lambda x, z: (x * z).asin(), (-0.9, 0.9)),
    "acos": (unary("math.acos"), lambda x, z: (x * z).acos(), (-0.9, 0.9)),
    "atan": (unary("math.atan"), lambda x, z: (x * z).atan(), (-2, 2)),
    "asinh": (unary("math.asinh"), lambda x, z: (x * z).asinh(), (-2, 2)),
    "acosh": (unary("math.acosh"), lambda x, z: (x * z).acosh(), (1.5, 2)),
    "atanh": (unary("math.atanh"), lambda x, z: (x * z).atanh(), (-0.9, 0.9)),
    "erf": (unary("math.erf"), lambda x, z: torch.erf(x * z), (-2, 2)),
    "floor": (unary("math.floor"), lambda x, z: (x * z).floor(), (-2, 2)),
    "relu": (
        "%c = arith.constant 0.0 : f64\n    %p = arith.cmpf ogt, %x, %c : f64\n"
        "    %t = arith.mulf %x, %z : f64\n    %f = arith.select %p, %t, %c : f64",
        lambda x, z: torch.where(x > 0, x * z, 0.0),
        (-2, 2),
    ),
}


# Functions of libm: devices have none, and say so.
ON_DEVICE = os.environ.get("TSGU_DEVICE") == "emulator"
NO_DEVICE_CODE = {
    *("pow", "atan2", "exp2", "expm1", "log2", "log10", "log1p", "cbrt", "erf"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh"),
    *("asin", "acos", "atan", "asinh", "acosh", "atanh"),
}


def refused_on_devices(case, call):
    """Whether the payload has no code for the device in use; checks that the call says so."""
    if not (ON_DEVICE and case in NO_DEVICE_CODE):
        return False
    with pytest.raises(tsgu.CompileError, match="has no code for devices"):
        call()
    return True


def operands(low, high):
    indices = torch.tensor([[0, 0, 2, 2, 2, 3], [0, 2, 0, 1, 2, 1]])
    values = torch.empty(6, dtype=torch.float64).uniform_(low, high)
    b = torch.empty(3, dtype=torch.float64).uniform_(low, high)
    return indices, values.requires_grad_(), b.requires_grad_()


@pytest.mark.parametrize("case", CASES)
def test_derivatives_of_a_payload(case):
    payload, function, (low, high) = CASES[case]
    name = f"payload_{case}"
    program = tsgu.load_program(TEMPLATE.format(name=name, payload=payload), name)
    (rows, columns), values, b = operands(low, high)
    pattern = tsgu.Pattern.coo(torch.stack([rows, columns]), (5, 3))
    if refused_on_devices(case, lambda: program(pattern, values, b)):
        return

    def reference(a, b):
        return torch.zeros(5, dtype=torch.float64).index_add(0, rows, function(a, b[columns]))

    def derivatives(f):
        result = f(values, b)
        weights = torch.linspace(-1, 1, 5, dtype=torch.float64)
        first = torch.autograd.grad(
            result, (values, b), weights, create_graph=True, materialize_grads=True
        )
        mixed = sum((g.sin() + 0 * values.sum()).sum() for g in first) + 0 * b.sum()
        second = torch.autograd.grad(mixed, (values, b), materialize_grads=True)
        return [result, *first, *second]

    actual = derivatives(lambda a, b: program(pattern, a, b))
    for got, expected in zip(actual, derivatives(reference), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("case", "a", "b"),
    [
        ("maximum", 1.5, 1.5),
        ("minimum", 1.5, 1.5),
        ("maximum", 1.5, torch.nan),
        ("minimum", torch.nan, 1.5),
        ("copysign", 0.0, -2.0),
        ("abs", 0.0, 1.0),
        ("pow", 0.0, 2.0),
    ],
)
def test_kinks_and_ties_are_torchs(case, a, b):
    payload, function, _ = CASES[case]
    program = tsgu.load_program(TEMPLATE.format(name=f"kink_{case}", payload=payload))
    pattern = tsgu.Pattern.coo(torch.tensor([[0], [0]]), (1, 1))
    a = torch.tensor([a], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([b], dtype=torch.float64, requires_grad=True)
    if refused_on_devices(case, lambda: program(pattern, a, b)):
        return
    actual = torch.autograd.grad(program(pattern, a, b), (a, b), torch.ones(1).double())
    expected = torch.autograd.grad(function(a, b), (a, b))
    torch.testing.assert_close(actual, expected)


NAN = torch.nan


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.5, 1.5, (0.5, 0.5)),
        (-torch.inf, -torch.inf, (0.5, 0.5)),
        (1.5, NAN, (1.0, 0.0)),
        (NAN, 1.5, (0.0, 1.0)),
        (NAN, NAN, (0.0, 0.0)),
    ],
)
@pytest.mark.parametrize("case", ["maxnum", "minnum"])
def test_ties_share_and_nan_gets_nothing(case, a, b, expected):
    """A stated rule, not torch's: versions of torch differ at both."""
    payload, function, _ = CASES[case]
    program = tsgu.load_program(TEMPLATE.format(name=f"kink_{case}", payload=payload))
    pattern = tsgu.Pattern.coo(torch.tensor([[0], [0]]), (1, 1))
    a = torch.tensor([a], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([b], dtype=torch.float64, requires_grad=True)
    result = program(pattern, a, b)
    torch.testing.assert_close(result, function(a, b), equal_nan=True)
    gradients = torch.autograd.grad(result, (a, b), torch.full((1,), 2.0).double())
    assert tuple(g.item() / 2 for g in gradients) == expected
    for operand, share in ((0, expected[0]), (1, expected[1])):
        tangents = [torch.full((1,), float(operand == k)).double() for k in (0, 1)]
        _, tangent = torch.func.jvp(
            lambda x, y: program(pattern, x, y), (a.detach(), b.detach()), tuple(tangents)
        )
        assert tangent.item() == share


def test_an_op_without_a_rule_is_named():
    payload = unary("math.erfc")
    program = tsgu.load_program(TEMPLATE.format(name="no_rule", payload=payload))
    pattern = tsgu.Pattern.coo(torch.tensor([[0], [0]]), (1, 1))
    a = torch.ones(1, dtype=torch.float64, requires_grad=True)
    b = torch.ones(1, dtype=torch.float64)
    missing = "has no code for devices" if ON_DEVICE else "has no derivative rule"
    with pytest.raises(tsgu.CompileError, match=rf"line 18, column 10: .*{missing}"):
        program(pattern, a, b).backward(torch.ones(1).double())
