"""The sets of einsum programs and of solves are closed under differentiation.

Seeds are einsums with one sparse operand, marked by a star. Deriving by every operand gives new
einsums; deriving those again gives none that is not known up to renaming and operand order.
Derivatives of solves are solves with the same solver and matrix, and einsums.
"""

import functools
import itertools
import re

import pytest
from aot_tools import PROGRAMS
from kernel_tools import TSGU_OPT, run_tool

SEEDS = {
    "spmm": "ij*,jk->ik",
    "batched_spmm": "bij*,bjk->bik",
    "scaled_sampled_product": "ij*,ik,jk->ij*",
    "row_sum": "ij*->i",
    "column_sum": "ij*->j",
    "bilinear": "i,ij*,j->",
    "diagonally_scaled": "i,ij*,jk->ik",
    "multi_head": "ij*,hjk->hik",
    "interleaved_heads": "ij*,jhk->ihk",
}
# Nine seeds and their first-order gradients, up to renaming and operand order.
DISTINCT = 27


def program(name, einsum):
    """The einsum as a program in MLIR."""
    terms, output = einsum.split("->")
    terms = terms.split(",")
    letters = sorted(set(einsum) - set("*,->"))
    loops = ", ".join(letters)
    kinds = ", ".join('"parallel"' if i in output else '"reduction"' for i in letters)

    def indices(term):
        return term.removesuffix("*")

    def tensor(term):
        encoding = ""
        if term.endswith("*"):
            dims = indices(term)
            levels = [f"{d} : dense" for d in dims[:-1]] + [f"{dims[-1]} : compressed"]
            encoding = ", #sparse_tensor.encoding<{ map = (%s) -> (%s) }>"
            encoding %= (", ".join(dims), ", ".join(levels))
        return f"tensor<{'?x' * len(indices(term))}f64{encoding}>"

    def attribute(term):
        return " {tsgu.pattern = @P}" if term.endswith("*") else ""

    def extent(letter):
        for number, term in enumerate(terms):
            if letter in term:
                dim = indices(term).index(letter)
                return f"  %{letter} = tensor.dim %x{number}, %c{dim} : {tensor(term)}\n"
        raise AssertionError(f"{letter} of {einsum} is in no operand")

    if output.endswith("*"):
        sparse = next(n for n, term in enumerate(terms) if term.endswith("*"))
        init = f"  %init = tsgu.zeros_like %x{sparse} : {tensor(output)}\n"
    else:
        extents = ", ".join(f"%{i}" for i in output)
        init = "".join(extent(i) for i in output) + (
            f"  %empty = tensor.empty({extents}) : {tensor(output)}\n"
            f"  %init = linalg.fill ins(%zero : f64) outs(%empty : {tensor(output)})"
            f" -> {tensor(output)}\n"
        )
    maps = [f"affine_map<({loops}) -> ({', '.join(indices(t))})>" for t in (*terms, output)]
    arguments = ", ".join(f"%x{n}: {tensor(t)}{attribute(t)}" for n, t in enumerate(terms))
    elements = ", ".join(f"%e{n}: f64" for n in range(len(terms)))
    product, payload = "%e0", ""
    for n in range(1, len(terms)):
        payload += f"    %p{n} = arith.mulf {product}, %e{n} : f64\n"
        product = f"%p{n}"
    return f"""
func.func @{name}({arguments}) -> ({tensor(output)}{attribute(output)}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f64
{init}  %y = linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = [{kinds}]}}
      ins({", ".join(f"%x{n}" for n in range(len(terms)))} : {", ".join(map(tensor, terms))})
      outs(%init : {tensor(output)}){" attrs = {tsgu.sampled}" if output.endswith("*") else ""} {{
  ^bb0({elements}, %o: f64):
{payload}    %sum = arith.addf %o, {product} : f64
    linalg.yield %sum : f64
  }} -> {tensor(output)}
  return %y : {tensor(output)}
}}
"""


def spelled(operands, output, names):
    def word(operand):
        mark, indices = operand
        return "".join(names[i] for i in indices) + mark

    return ",".join(sorted(map(word, operands))) + "->" + word(output)


def canonical(operands, output):
    """The first spelling in the alphabet over all names for the loops."""
    loops = sorted({i for _, indices in [*operands, output] for i in indices})
    return min(
        spelled(operands, output, dict(zip(loops, names, strict=True)))
        for names in itertools.permutations("abcdef"[: len(loops)])
    )


def read_term(body, count):
    """Checks that the payload is the (sum of the) product of its elements, each read once."""
    header, *lines = [line.strip() for line in body.strip().splitlines()]
    *elements, out = re.findall(r"(%\w+): f64", header)
    products = {element: {element} for element in elements}
    for line in lines[:-1]:
        value, op, x, y = re.fullmatch(r"(%\w+) = arith\.(\w+) (%\w+), (%\w+) : f64", line).groups()
        if op == "addf":
            assert x == out, line
            products[value] = products[y]
        else:
            assert op == "mulf" and not products[x] & products[y], line
            products[value] = products[x] | products[y]
    (yielded,) = re.findall(r"linalg.yield (%\w+)", lines[-1])
    assert products[yielded] == set(elements) and len(elements) == count, body


def read_einsum(function, maps):
    """The einsum that a derived program computes; None for zeros."""
    generics = re.findall(
        r"linalg\.generic \{indexing_maps = \[(.*?)\].*? ins\((.*?)\) outs\((.*?)\).*?\{\n"
        r"(.*?)\n    \}",
        function,
        re.S,
    )
    if not generics:
        assert re.search(r"tsgu\.zeros_like|linalg\.fill", function), function
        return None
    ((indexing, inputs, init, body),) = generics
    types = re.findall(r"tensor<[^<>]*>", inputs + init)
    operands = [
        ("*" if "#" in kind else "", maps[name])
        for kind, name in zip(types, indexing.split(", "), strict=True)
    ]
    read_term(body, len(operands) - 1)
    return canonical(operands[:-1], operands[-1])


def parse(text):
    """The programs in a module: {name: (einsum, module of its own)}."""
    maps = {
        name: re.findall(r"d\d", results)
        for name, results in re.findall(r"^(#\w+) = affine_map<.*? -> \((.*?)\)>$", text, re.M)
    }
    return {name: (read_einsum(module, maps), module) for name, module in modules(text).items()}


def modules(text):
    """The public programs in a module, each as one of its own: {name: module}."""
    aliases = "\n".join(re.findall(r"^#.*$", text, re.M))
    functions = re.findall(r"^  func\.func @.*?^  \}$", text, re.M | re.S)
    names = [re.search(r"func\.func @(\w+)", function)[1] for function in functions]
    return {name: f"{aliases}\n{f}\n" for name, f in zip(names, functions, strict=True)}


@functools.cache
def derived(seed, order):
    """All derivatives of that order, by every operand."""
    flags = ["--tsgu-differentiate"] * order or ["--tsgu-simplify"]
    return parse(run_tool([str(TSGU_OPT), *flags], program(seed, SEEDS[seed])))


def einsums(order):
    return {einsum for seed in SEEDS for einsum, _ in derived(seed, order).values()} - {None}


def gradient(einsum, operand):
    """The rule: the cotangent takes the operand's place, the operand that of the output."""
    terms, output = einsum.split("->")
    terms = terms.split(",")
    wanted = terms[operand]
    terms[operand] = output
    pairs = [("*" if t.endswith("*") else "", list(t.removesuffix("*"))) for t in (*terms, wanted)]
    return canonical(pairs[:-1], pairs[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_first_derivatives_follow_the_rule(seed):
    for name, (einsum, _) in derived(seed, 1).items():
        operand = int(name.removeprefix(f"{seed}_vjp"))
        assert einsum == gradient(SEEDS[seed], operand), name
    assert len(derived(seed, 1)) == SEEDS[seed].count(",") + 1


def test_second_and_third_derivatives_are_known():
    known = einsums(0) | einsums(1)
    assert einsums(2) <= known
    assert einsums(3) <= known
    assert len(einsums(0)) == len(SEEDS)
    assert len(known) == DISTINCT, sorted(known)


def compiled(programs):
    """The names of the objects that come of modules."""
    together = "// -----\n".join(programs)
    run_tool([str(TSGU_OPT), "--split-input-file", "--tsgu-verify-program"], together)
    lowered = run_tool([str(TSGU_OPT), "--split-input-file", "--tsgu-lower-to-cpu"], together)
    return set(re.findall(r"^  llvm\.mlir\.global .* @(\w+)_manifest\(", lowered, re.M))


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_derivative_compiles(seed, order):
    """One program for each einsum and each set of operands it is given."""
    distinct = {}
    for einsum, module in derived(seed, order).values():
        distinct.setdefault((einsum, re.sub(r"func @\w+", "func @f", module)), module)
    assert len(compiled(distinct.values())) == len(distinct)


# Ops of softmax's derivatives by its values: how many kernels, and how many scalar ops in them.
# Multilinear in a cotangent of every order, they at least double from order to order.
SOFTMAX_SIZES = {1: (2, 7), 2: (5, 17), 3: (11, 41), 4: (25, 98), 5: (58, 241), 6: (136, 616)}


@pytest.mark.parametrize("order", SOFTMAX_SIZES)
def test_sizes_of_the_derivatives_of_softmax(order):
    source = (PROGRAMS / "softmax.mlir").read_text()
    text = run_tool([str(TSGU_OPT), *["--tsgu-differentiate=wrt=0"] * order], source)
    (module,) = modules(text).values()
    kernels, scalars = SOFTMAX_SIZES[order]
    assert module.count("linalg.generic") <= kernels
    assert len(re.findall(r"= (?:arith|math)\.(?!constant)", module)) <= scalars
    assert "math.exp" not in module and "logaddexp" not in module


# What stands in their derivatives besides einsums, and how many programs the third order has.
SOLVES = {
    "triangular_solve": {"triangular_solve", "triangle"},
    "triangular_solve_transposed": {"triangular_solve", "triangle"},
    "solve": {"solve"},
    "least_squares": {"normal_solve"},
    "least_squares_row": {"normal_solve"},
}
PROGRAMS_OF_ORDER = {1: 2, 2: 6, 3: 24}


@pytest.mark.parametrize("order", PROGRAMS_OF_ORDER)
@pytest.mark.parametrize("name", SOLVES)
def test_derivatives_of_solves_are_programs(name, order):
    source = (PROGRAMS / f"{name}.mlir").read_text()
    found = modules(run_tool([str(TSGU_OPT), *["--tsgu-differentiate"] * order], source))
    assert len(found) == PROGRAMS_OF_ORDER[order]
    kinds = set()
    for derivative, module in found.items():
        ops = re.findall(r"= tsgu\.(\w+) ([^:\n]*)", module)
        kinds |= {op for op, _ in ops}
        for op, operands in ops:  # the solver and the matrix are those of the program
            if op not in {"zeros_like", "triangle"}:
                assert operands.startswith("%arg0, %arg1, "), derivative
    assert kinds == SOLVES[name] | {"zeros_like"}
    assert compiled(found.values()) == {*found}
