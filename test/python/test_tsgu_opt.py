"""Programs derived by tsgu-opt alone, to third order, against the masked dense reference.

Nothing of torch's part takes part on our side: tsgu-opt derives and lowers, clang links, and the
runtime runs the object. The reference composes torch's autograd over dense matrices in which each
stored entry is a variable.
"""

import itertools

import aot_tools
import numpy as np
import pytest
import torch

import oracle

ROWS, COLUMNS, WIDTH, ITEMS = 6, 5, 3, 2


def mask(*shape):
    generator = np.random.default_rng(3)
    stored = generator.random(shape) < 0.5
    stored[..., 1, :] = False  # An empty row.
    stored[..., 2, :] = True
    return stored


def reference_of(name, batched):
    shape = (ITEMS, ROWS, COLUMNS) if batched else (ROWS, COLUMNS)
    indices = torch.tensor(np.array(np.nonzero(mask(*shape))))
    if name == "spmm":
        return lambda A, B: oracle.spmm(indices, A, shape, B)
    return lambda A: oracle.softmax(indices, A, shape, -1)


def vjp(function, operand):
    def derived(*arguments):
        *inputs, cotangent = arguments
        result = function(*inputs)
        return torch.autograd.grad(
            result, inputs[operand], cotangent, create_graph=True, materialize_grads=True
        )[0]

    return derived


def jvp(function, operand):
    """The transpose of the transpose: linear in a dummy cotangent."""

    def derived(*arguments):
        *inputs, tangent = arguments
        result = function(*inputs)
        dummy = torch.ones_like(result, requires_grad=True)
        (pulled,) = torch.autograd.grad(
            result, [inputs[operand]], dummy, create_graph=True, materialize_grads=True
        )
        return torch.autograd.grad(
            pulled, dummy, tangent, create_graph=True, materialize_grads=True
        )[0]

    return derived


def random(like):
    generator = torch.Generator().manual_seed(like.numel())
    return torch.rand(like.shape, generator=generator, dtype=torch.float64).add(0.1)


def leaf(tensor):
    return tensor.detach().clone().requires_grad_()


def check(name, derivations):
    """Runs the derived program on its operands and compares with the composed reference."""
    batched = "batch" in derivations
    stored = mask(ITEMS, ROWS, COLUMNS) if batched else mask(ROWS, COLUMNS)
    pattern = aot_tools.Pattern(stored)
    function = reference_of(name, batched)
    operands = [leaf(random(torch.empty(int(stored.sum()))))]
    if name == "spmm":
        lead = (ITEMS,) if batched else ()
        operands.append(leaf(random(torch.empty(*lead, COLUMNS, WIDTH))))

    # The operands of each derived program: the originals, the result it reads, the cotangent.
    slots = list(range(len(operands)))  # Independent operand of each slot; None: a result.
    values = list(operands)
    for depth, derivation in enumerate(derivations):
        if derivation == "batch":
            continue
        slot, result = int(derivation[3:]), function(*operands)
        operand = slots[slot]
        if derivation.startswith("vjp"):
            function, extra = vjp(function, operand), leaf(random(result))
        else:
            function, extra = jvp(function, operand), leaf(random(operands[operand]))
        if reads_result(name, derivations[: depth + 1]):
            slots.append(None)
            values.append(result)
        slots.append(len(operands))
        operands.append(extra)
        values.append(extra)
    program = aot_tools.Program(name, derivations)
    actual = program(pattern, *(v.detach().numpy() for v in values))
    expected = function(*operands).detach()
    oracle.assert_close(torch.from_numpy(actual), expected, terms=256)


def reads_result(name, derivations):
    """Whether the program with these derivations has its parent's result as an operand."""
    operands = aot_tools.signature(name, derivations)["operands"]
    return any(operand["result_of"] == 0 for operand in operands)


def independent_slots(name, derivations):
    if not derivations or derivations[-1] == "batch":
        return [0, 1] if name == "spmm" else [0]
    operands = aot_tools.signature(name, derivations)["operands"]
    return [i for i, operand in enumerate(operands) if operand["result_of"] is None]


def chains(name, order, start=(), kinds=("vjp",)):
    """All derivations of that order by independent operands."""
    found = [list(start)]
    for _ in range(order):
        found = [
            [*chain, f"{kind}{slot}"]
            for chain in found
            for kind, slot in itertools.product(kinds, independent_slots(name, chain))
        ]
    return found


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["spmm", "softmax"])
def test_gradient_programs(name, order):
    for derivations in chains(name, order):
        check(name, derivations)


@pytest.mark.parametrize("name", ["spmm", "softmax"])
def test_tangent_and_mixed_programs(name):
    for derivations in chains(name, 2, kinds=("vjp", "jvp")):
        if any(derivation.startswith("jvp") for derivation in derivations):
            check(name, derivations)


@pytest.mark.parametrize("name", ["spmm", "softmax"])
def test_batched_programs(name):
    for order in (0, 1, 2):
        for derivations in chains(name, order, start=("batch",)):
            check(name, derivations)


def test_operands_that_hold_results_are_named():
    operands = aot_tools.signature("softmax", ["vjp0"])["operands"]
    assert [(o["name"], o["result_of"], o["read"]) for o in operands] == [
        ("A", None, False),
        ("Y", 0, True),
        ("G", None, True),
    ]
