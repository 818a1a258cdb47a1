"""Random programs of our grammar against dense NumPy, and their gradients against differences.

Each has a pattern of two or three dimensions, one or two ops, sparse and dense operands, and
payloads of random expressions. TSGU_RANDOM_PROGRAMS says how many, TSGU_RANDOM_SEED which.
"""

import os
import random

import numpy
import pytest
import torch

import tsgu

COUNT = int(os.environ.get("TSGU_RANDOM_PROGRAMS", "200"))
SEED = int(os.environ.get("TSGU_RANDOM_SEED", "0"))
ANYWHERE = {"arith.negf": numpy.negative}
if os.environ.get("TSGU_DEVICE") != "emulator":  # where they are refused, see test_payloads
    ANYWHERE |= {"math.sin": numpy.sin, "math.tanh": numpy.tanh}
OF_ELEMENTS = {"math.exp": numpy.exp, "math.log": numpy.log, "math.sqrt": numpy.sqrt}
BINARY = {
    "arith.addf": numpy.add,
    "arith.subf": numpy.subtract,
    "arith.mulf": numpy.multiply,
    "arith.maximumf": numpy.maximum,
}
FUNCTIONS = {**ANYWHERE, **OF_ELEMENTS, **BINARY, "arith.divf": numpy.divide}
# Dense enough for loops over everything, and so empty that levels are compressed.
EXTENTS = ({"i": 7, "j": 5, "k": 4, "p": 3, "q": 2}, {"i": 90, "j": 80, "k": 70, "p": 2, "q": 3})


# ===-- Expressions: the number of an element, or (function, expressions) ------------------===#


def expression(rng, elements, first, depth=3):
    """first: elements from this one on are positive."""
    if depth == 0 or rng.random() < 0.2:
        return rng.randrange(elements)
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(list(ANYWHERE)), expression(rng, elements, first, depth - 1)
    if kind < 0.4:
        return rng.choice(list(OF_ELEMENTS)), rng.randrange(first, elements)
    if kind < 0.5:
        return (
            "arith.divf",
            expression(rng, elements, first, depth - 1),
            rng.randrange(first, elements),
        )
    parts = (expression(rng, elements, first, depth - 1) for _ in range(2))
    return rng.choice(list(BINARY)), *parts


def lines_of(tree, lines):
    """The name of the value, whose ops are appended to lines."""
    if isinstance(tree, int):
        return f"%e{tree}"
    name, *parts = tree
    values = ", ".join([lines_of(part, lines) for part in parts])
    lines.append(f"%v{len(lines)} = {name} {values} : f64")
    return f"%v{len(lines) - 1}"


def evaluated(tree, elements):
    if isinstance(tree, int):
        return elements[tree]
    name, *parts = tree
    return FUNCTIONS[name](*(evaluated(part, elements) for part in parts))


# ===-- Programs --------------------------------------------------------------------===#


class RandomOp:
    """One sum over some of the loops of a random expression, at the stored entries only."""

    def __init__(self, rng, stored, sparse, samples):
        """sparse: names of operands on the pattern; samples: whether the result is on it."""
        self.stored, self.samples = stored, samples
        extra = "" if rng.random() < 0.4 else rng.choice(["p", "pq"])
        self.loops = stored + extra
        self.operands = [(name, stored) for name in sparse]
        self.dense = []
        for _ in range(rng.randint(0 if sparse else 1, 2)):
            term = "".join(rng.sample(self.loops, rng.randint(1, min(3, len(self.loops)))))
            self.dense.append(term)
        for letter in extra:  # its extent has to come from somewhere
            if not any(letter in term for term in self.dense):
                self.dense.append(letter)
        self.result = stored
        if not samples:
            self.result = "".join(rng.sample(self.loops, rng.randint(0, len(self.loops) - 1)))
        count = len(self.operands) + len(self.dense)
        self.tree = expression(rng, count, sparse[0] == "y0")

    def name_dense(self, first):
        names = [f"d{first + k}" for k in range(len(self.dense))]
        self.operands += list(zip(names, self.dense, strict=True))
        return list(zip(names, self.dense, strict=True))

    def text(self, number, pattern):
        def kind(term, sparse):
            dims = "?x" * len(term)
            return f"tensor<{dims}f64, #S>" if sparse else f"tensor<{dims}f64>"

        def map_of(term):
            return f"affine_map<({', '.join(self.loops)}) -> ({', '.join(term)})>"

        on = len(self.operands) - len(self.dense)
        kinds = [kind(term, k < on) for k, (_, term) in enumerate(self.operands)]
        output, lines = kind(self.result, self.samples), []
        if self.samples:
            lines.append(f"%init{number} = tsgu.zeros_like %{pattern} : {output}")
        else:
            sizes = []
            for d, letter in enumerate(self.result):
                k = next(k for k, (_, term) in enumerate(self.operands) if letter in term)
                name, term = self.operands[k]
                place = f"%c{number}_{d}"
                lines.append(f"{place} = arith.constant {term.index(letter)} : index")
                lines.append(f"%n{number}_{d} = tensor.dim %{name}, {place} : {kinds[k]}")
                sizes.append(f"%n{number}_{d}")
            lines.append(f"%empty{number} = tensor.empty({', '.join(sizes)}) : {output}")
            lines.append(
                f"%init{number} = linalg.fill ins(%zero : f64) outs(%empty{number} : {output}) "
                f"-> {output}"
            )
        iterators = ['"parallel"' if c in self.result else '"reduction"' for c in self.loops]
        maps = ", ".join(map_of(term) for term in [*(t for _, t in self.operands), self.result])
        names = ", ".join(f"%{name}" for name, _ in self.operands)
        elements = ", ".join(f"%e{k}: f64" for k in range(len(self.operands)))
        body = []
        value = lines_of(self.tree, body)
        if len(self.loops) > len(self.result):
            body.append(f"%sum = arith.addf %o, {value} : f64")
            value = "%sum"
        lines.append(
            f"%y{number} = linalg.generic {{indexing_maps = [{maps}], "
            f"iterator_types = [{', '.join(iterators)}]}} ins({names} : {', '.join(kinds)}) "
            f"outs(%init{number} : {output}) attrs = {{tsgu.sampled}} {{\n"
            f"  ^bb0({elements}, %o: f64):\n    "
            + "\n    ".join([*body, f"linalg.yield {value} : f64"])
            + f"\n  }} -> {output}"
        )
        return lines, output

    def evaluated(self, values, mask):
        """By NumPy, on the full index space."""

        def spread(x, term):
            order = sorted(range(len(term)), key=lambda d: self.loops.index(term[d]))
            shape = iter(x.transpose(order).shape)
            return x.transpose(order).reshape([next(shape) if c in term else 1 for c in self.loops])

        with numpy.errstate(all="ignore"):
            found = evaluated(self.tree, [spread(values[n], t) for n, t in self.operands])
        found = numpy.where(spread(mask, self.stored), found, 0)
        shape = numpy.broadcast_shapes(
            found.shape, *(spread(values[n], t).shape for n, t in self.operands)
        )
        found = numpy.broadcast_to(found, shape)
        summed = tuple(d for d, c in enumerate(self.loops) if c not in self.result)
        kept = [c for c in self.loops if c in self.result]
        return found.sum(summed).transpose([kept.index(c) for c in self.result])


class RandomProgram:
    def __init__(self, seed):
        rng = random.Random(seed)
        self.name = f"random_{SEED}_{seed}"
        self.stored = rng.choice(["ij", "ijk"])
        self.extents = EXTENTS[rng.random() < 0.4]
        self.sparse = [f"s{k}" for k in range(rng.randint(1, 2))]
        samples = rng.random() < 0.3
        self.ops = []
        if rng.random() < 0.5:
            self.ops.append(RandomOp(rng, self.stored, self.sparse, True))
            self.ops.append(RandomOp(rng, self.stored, ["y0", self.sparse[-1]], samples))
        else:
            self.ops.append(RandomOp(rng, self.stored, self.sparse, samples))
        self.dense = []
        for op in self.ops:
            self.dense += op.name_dense(len(self.dense))
        generator = numpy.random.default_rng(seed)
        shape = [self.extents[c] for c in self.stored]
        self.mask = generator.random(shape) < (0.4 if self.extents is EXTENTS[0] else 0.0005)
        self.values = {
            name: numpy.where(self.mask, generator.uniform(0.5, 1.5, shape), 1)
            for name in self.sparse
        }
        for name, term in self.dense:
            self.values[name] = generator.uniform(0.5, 1.5, [self.extents[c] for c in term])

    def text(self):
        levels = ", ".join([f"{c} : dense" for c in self.stored[:-1]])
        encoding = f"({', '.join(self.stored)}) -> ({levels}, {self.stored[-1]} : compressed)"
        kind = f"tensor<{'?x' * len(self.stored)}f64, #S>"
        arguments = [f'%{n}: {kind} {{tsgu.name = "{n}", tsgu.pattern = @P}}' for n in self.sparse]
        arguments += [
            f'%{n}: tensor<{"?x" * len(t)}f64> {{tsgu.name = "{n}"}}' for n, t in self.dense
        ]
        lines = ["%zero = arith.constant 0.0 : f64"]
        for number, op in enumerate(self.ops):
            added, output = op.text(number, self.sparse[0])
            lines += added
        returned = f"({output} {{tsgu.pattern = @P}})" if op.samples else output
        return "\n".join(
            [
                f"#S = #sparse_tensor.encoding<{{ map = {encoding} }}>",
                f"func.func @{self.name}({', '.join(arguments)}) -> {returned} {{",
                *(f"  {line}" for line in lines),
                f"  return %y{len(self.ops) - 1} : {output}",
                "}",
                "",
            ]
        )

    def evaluated(self, values):
        values = dict(values)
        for number, op in enumerate(self.ops):
            values[f"y{number}"] = op.evaluated(values, self.mask)
        found = values[f"y{len(self.ops) - 1}"]
        return found[self.mask] if self.ops[-1].samples else found


@pytest.mark.parametrize("seed", range(COUNT))
def test_random_programs(seed):
    program = RandomProgram(1000 * SEED + seed)
    operator = tsgu.load_program(program.text())
    indices = torch.from_numpy(numpy.stack(program.mask.nonzero()))
    pattern = tsgu.Pattern.coo(indices, program.mask.shape, coalesced=True)
    names = [*program.sparse, *(name for name, _ in program.dense)]
    flat = {n: program.values[n][program.mask] for n in program.sparse}
    operands = [
        torch.from_numpy(flat.get(n, program.values[n]).copy()).requires_grad_() for n in names
    ]
    result = operator(pattern, *operands)
    wanted = program.evaluated(program.values)
    scale = 1 + abs(wanted).max(initial=0)
    numpy.testing.assert_allclose(result.detach().numpy(), wanted, rtol=0, atol=1e-11 * scale)

    # By single precision, whose errors grow with what is summed.
    single = operator(pattern, *(operand.detach().float() for operand in operands))
    terms = max(1, program.mask.sum() / max(1, wanted.size)) * 8
    numpy.testing.assert_allclose(
        single.double().numpy(), wanted, rtol=0, atol=3e-7 * (scale + 20 * terms)
    )

    # The derivative along a random direction of all operands.
    generator = numpy.random.default_rng(seed)
    weight = generator.standard_normal(wanted.shape)
    gradients = torch.autograd.grad(
        result, operands, torch.from_numpy(weight), allow_unused=True, materialize_grads=True
    )
    steps = {n: generator.standard_normal(program.values[n].shape) for n in names}
    along = 0
    for name, gradient in zip(names, gradients, strict=True):
        step = steps[name][program.mask] if name in program.sparse else steps[name]
        along += (gradient.numpy() * step).sum()
    h = 1e-5
    ends = [
        (weight * program.evaluated({n: v + s * steps[n] for n, v in program.values.items()})).sum()
        for s in (h, -h)
    ]
    size = sum(abs(gradient).sum().item() for gradient in gradients)
    assert abs(along - (ends[0] - ends[1]) / (2 * h)) <= 1e-7 * (1 + size) + 1e-9 * abs(ends[0]) / h
