"""Large results get the memory of results before them, and never that of one in use."""

import os
import random
import textwrap
import threading

import pytest
import torch
from run_tools import in_threads, run_script

import tsgu

LONG = bool(os.environ.get("TSGU_LONG"))
COLUMNS = 64


def scaling(rows):
    """Twice the identity: a result says which operand it was made of."""
    index = torch.arange(rows)
    return tsgu.coo(torch.stack([index, index]), torch.full((rows,), 2.0), (rows, rows))


MATRICES = [scaling(4096 * k) for k in (1, 2, 3, 7)]  # results of 1 to 7 MiB


def made_of(number, A):
    return tsgu.sparse_mm(A, torch.full((A.shape[1], COLUMNS), float(number)))


def is_made_of(number, result):
    return bool((result == 2.0 * number).all())


def outputs():
    return {name: n for name, n in tsgu.show_config().items() if name.startswith("output")}


@pytest.fixture(autouse=True)
def nothing_kept():
    tsgu.empty_cache()
    yield
    tsgu.empty_cache()


@pytest.mark.parametrize("A", MATRICES, ids=lambda A: f"{A.shape[0]} rows")
def test_memory_of_a_result_serves_the_next_one(A):
    first = made_of(1, A)
    address = first.data_ptr()
    lent = outputs()["output bytes lent"]
    assert lent >= first.nbytes
    del first
    kept = outputs()["output bytes kept"]
    assert kept and outputs()["output bytes lent"] == lent - kept
    second = made_of(2, A)
    assert second.data_ptr() == address and is_made_of(2, second)
    assert outputs()["output bytes kept"] == 0


def test_small_results_and_index_tensors_are_torchs():
    A = scaling(100)
    assert made_of(1, A).untyped_storage().resizable()
    assert not made_of(1, MATRICES[0]).untyped_storage().resizable()


SHARING = {
    "NumPy": lambda x: x.numpy(),
    "a view": lambda x: x[7:9],
    "DLPack": lambda x: torch.from_dlpack(x),
    "another tensor": lambda x: torch.empty(0).set_(x),
    "a sparse tensor": lambda x: torch.sparse_coo_tensor(
        torch.arange(len(x))[None], x, is_coalesced=True
    ).values(),
}


@pytest.mark.parametrize("share", SHARING.values(), ids=SHARING)
def test_what_shares_a_results_memory_keeps_it(share):
    kept = share(made_of(1, MATRICES[0]))
    others = [made_of(2, MATRICES[0]) for _ in range(3)]
    assert is_made_of(1, torch.as_tensor(kept))
    assert all(is_made_of(2, other) for other in others)


def live_at_random(seed, calls):
    """Results that live and die at random: whether each kept what was written to it."""
    choice, alive = random.Random(seed), []
    limit = outputs()["output limit"]
    for number in range(calls):
        if alive and (len(alive) > 8 or choice.random() < 0.4):
            expected, result = alive.pop(choice.randrange(len(alive)))
            assert is_made_of(expected, result)
            del result
        alive.append((number, made_of(number, choice.choice(MATRICES))))
        assert outputs()["output bytes kept"] <= limit
    assert all(is_made_of(number, result) for number, result in alive)


def test_lives_at_random():
    live_at_random(1, 10_000 if LONG else 500)


def test_lives_at_random_in_threads():
    in_threads(lambda seed: live_at_random(seed, 2_000 if LONG else 100), 3)


def test_a_result_may_end_in_another_thread():
    results = [made_of(1, MATRICES[0])]
    thread = threading.Thread(target=results.clear)
    thread.start()
    thread.join()
    assert outputs()["output bytes kept"] == 1 << 20


def test_gradients_have_it_too():
    A = MATRICES[1].clone().requires_grad_()
    B = torch.ones(A.shape[1], COLUMNS, requires_grad=True)

    def step():
        A.grad = B.grad = None
        tsgu.sparse_mm(A, B).sum().backward()

    step()
    fresh = tsgu.show_config()["outputs on fresh memory"]
    for _ in range(5):
        step()
    assert tsgu.show_config()["outputs on fresh memory"] == fresh
    assert is_made_of(1, B.grad)


def test_values_of_a_result_are_known_by_their_number():
    """A triangular solve hashes values that others may write to, and these nobody else can."""
    from tsgu._runtime import library

    result, own = made_of(1, MATRICES[0]), torch.ones(3)
    foreign = torch.from_numpy(torch.ones(3).numpy())
    assert library.owns(result, result) and library.owns(result[5:], own)
    assert not library.owns(result, foreign)


def test_torch_can_do_what_it_does_with_other_results():
    result = made_of(3, MATRICES[0])
    copy = torch.empty_like(result)
    torch.add(result, 1.0, out=copy)
    assert is_made_of(3.5, copy)
    torch.add(copy, -1.0, out=result)
    assert is_made_of(3, result)
    result.resize_(10, 10)  # what fits needs no memory
    with pytest.raises(RuntimeError, match="not resizable"):
        result.resize_(10**6)


PRELUDE = """
import os, signal, sys
import torch, tsgu
torch.set_num_threads(1)
index = torch.arange(4096)
A = tsgu.coo(torch.stack([index, index]), torch.full((4096,), 2.0), (4096, 4096))
def product(number):
    return tsgu.sparse_mm(A, torch.full((4096, 64), float(number)))
"""


def test_limit_of_the_environment():
    script = PRELUDE + "x = product(1); del x; print(tsgu.show_config()['output bytes kept'])"
    assert run_script(script, TSGU_OUTPUT_CACHE_BYTES="0") == "0\n"
    assert run_script(script, TSGU_OUTPUT_CACHE_BYTES=str(1 << 20)) == f"{1 << 20}\n"


def test_results_may_outlive_everything():
    script = """
    import builtins, threading
    builtins.kept = product(1), product(2).numpy()
    class AtEnd:
        def __del__(self, product=product):
            self.last = product(3)
    builtins.at_end = AtEnd()
    thread = threading.local()
    thread.result = product(4)
    print("done")
    """
    assert run_script(PRELUDE + textwrap.dedent(script)) == "done\n"


def test_children_of_a_fork_have_their_own():
    script = """
results = [product(k) for k in range(5)]
del results[1]
for round in range(10):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        more = [product(10 + k) for k in range(5)]
        good = all((x == 2.0 * k).all() for x, k in zip(results, (0, 2, 3, 4)))
        good = good and all((x == 20.0 + 2 * k).all() for k, x in enumerate(more))
        results.clear()
        tsgu.empty_cache()
        os._exit(0 if good and tsgu.show_config()["output bytes kept"] == 0 else 1)
    extra = product(7)
    assert os.waitpid(pid, 0)[1] == 0
    assert (extra == 14.0).all()
assert all((x == 2.0 * k).all() for x, k in zip(results, (0, 2, 3, 4)))
print("done")
"""
    assert run_script(PRELUDE + script) == "done\n"


def test_workers_send_results():
    script = """
class Products(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, k): return product(k)

loader = torch.utils.data.DataLoader(Products(), batch_size=None, num_workers=2,
                                     multiprocessing_context="fork")
first = product(1)
for k, x in enumerate(loader):
    assert (x == 2.0 * k).all()
print("done")
"""
    assert run_script(PRELUDE + script) == "done\n"
