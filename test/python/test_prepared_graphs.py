"""What a graph's solves prepared is the graph's, whatever the cache drops."""

import pytest
from run_tools import run_script

SYSTEMS = """
import torch, tsgu

def config(name):
    return tsgu.show_config()[name]

def systems(items, n=200):
    generator = torch.Generator().manual_seed(5)
    i = torch.arange(n)
    rows, columns = torch.cat([i, i[1:], i[:-1]]), torch.cat([i, i[:-1], i[1:]])
    values = -torch.rand(items, len(rows), dtype=torch.float64, generator=generator)
    values[:, :n] += 4
    item = torch.arange(items).repeat_interleave(len(rows))
    indices = torch.stack([item, rows.repeat(items), columns.repeat(items)])
    A = torch.sparse_coo_tensor(indices, values.flatten(), (items, n, n)).coalesce()
    return A.requires_grad_(), torch.randn(items, n, 2, dtype=torch.float64, requires_grad=True)

def all_orders(A, B, solve, between):
    X = solve(A, B)
    between()
    gradients = torch.autograd.grad(X.square().sum(), (A, B), create_graph=True)
    between()
    (tsgu.values(gradients[0]).square().sum() + gradients[1].square().sum()).backward()
"""

SMALL = {
    "what is prepared": {"TSGU_PREPARED_CACHE_BYTES": "1000"},
    "patterns too": {"TSGU_PREPARED_CACHE_BYTES": "0", "TSGU_PATTERN_CACHE_BYTES": "0"},
}


@pytest.mark.parametrize("preconditioner", ["jacobi", "block_jacobi", "ssor", "ilu0", "amg"])
@pytest.mark.parametrize("small", SMALL)
def test_a_batch_finds_all_set_ups(small, preconditioner):
    script = f"""
A, B = systems(64)
all_orders(A, B, lambda A, B: tsgu.sparse_generic_solve(
    A, B, "bicgstab", preconditioner={preconditioner!r}), lambda: None)
print(config("preconditioner setups"), config("prepared evictions") > 64, config("prepared") <= 1)
"""
    assert run_script(SYSTEMS + script, **SMALL[small]).split() == ["64", "True", "True"]


@pytest.mark.parametrize("method", ["lu", "cholesky"])
@pytest.mark.parametrize("small", SMALL)
def test_one_factorization_whatever_is_dropped(small, method):
    script = f"""
A, B = systems(3)
A = (A.detach() + A.detach().transpose(1, 2)).coalesce().requires_grad_()
others = [systems(1, 50 + k) for k in range(5)]
def solve(A, B):
    return tsgu.sparse_generic_solve(A, B, {method!r})
made = [0]
def between():
    now = config("factorizations")
    for other, b in others:
        tsgu.sparse_generic_solve(other.detach(), b.detach(), "lu")
    made[0] += config("factorizations") - now
all_orders(A, B, solve, between)
print(config("factorizations") - made[0], made[0])
"""
    assert run_script(SYSTEMS + script, **SMALL[small]).split() == ["3", "10"]


def test_operators_own_them_too():
    script = """
A, B = systems(4)
pattern, values = tsgu.Pattern.of(A), tsgu.values(A).detach().requires_grad_()
handle = tsgu.solver("lu")
X = torch.ops.tsgu.apply("solve/batch", [pattern.positions, pattern.coordinates],
    [pattern.form, pattern.items, pattern.rows, pattern.columns], [handle, values, B])
X.square().sum().backward()
print(config("factorizations"))
"""
    assert run_script(SYSTEMS + script, TSGU_PREPARED_CACHE_BYTES="0").split() == ["4"]


def test_what_no_graph_holds_goes():
    """And what one held, once it is gone."""
    script = """
import gc
A, B = systems(2)
X = tsgu.sparse_generic_solve(A, B, "lu")
once = config("factorizations")
tsgu.sparse_generic_solve(A.detach(), B.detach(), "lu")
assert config("factorizations") == once, "found while the graph lives"
del X
gc.collect()
tsgu.sparse_generic_solve(A.detach(), B.detach(), "lu")
print(once, config("factorizations") - once)
"""
    assert run_script(SYSTEMS + script, TSGU_PREPARED_CACHE_BYTES="0").split() == ["2", "2"]


def test_saved_and_sent_graphs_find_them_by_content():
    """A handle that was pickled, in another process: nothing is owned, nothing is wrong."""
    script = """
import pickle
A, B = systems(2)
handle = pickle.loads(pickle.dumps(tsgu.solver("cholesky")))
A = (A.detach() + A.detach().transpose(1, 2)).coalesce()
pattern, values = tsgu.Pattern.of(A), tsgu.values(A)
solve = torch.compile(lambda v, b: tsgu.operator("solve/batch")(pattern, handle, v, b),
                      backend="aot_eager", fullgraph=True)
leaves = values.requires_grad_(), B
gradients = torch.autograd.grad(solve(*leaves).square().sum(), leaves)
eager = tsgu.operator("solve/batch")(pattern, handle, *leaves)
assert all(map(torch.equal, gradients, torch.autograd.grad(eager.square().sum(), leaves)))
print(config("factorizations"))
"""
    assert run_script(SYSTEMS + script).split() == ["2"]


def test_memory_of_new_values_is_flat():
    script = """
import resource
A, B = systems(1, 4000)
def solve():
    tsgu.sparse_generic_solve(A.detach() * (1 + torch.rand(())), B.detach(), "lu")
def used():
    return tsgu.show_config()["prepared bytes"]
for _ in range(150):
    solve()
before = used()
for _ in range(150):
    solve()
print(used() == before, before < 2**27, config("prepared"))
"""
    flat, bounded, count = run_script(SYSTEMS + script).split()
    assert (flat, bounded) == ("True", "True") and int(count) <= 128
