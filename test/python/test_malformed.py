"""Corrupt index tensors: a typed error each, in a process that must not crash."""

import json
import subprocess
import sys

import malformed
import pytest
import torch


@pytest.fixture(scope="module")
def outcomes():
    run = subprocess.run(
        [sys.executable, malformed.__file__], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", malformed.CASES)
def test_malformed_input_is_refused(case, outcomes):
    results = outcomes[case]
    assert results, "no call was made"
    for call, (kind, text) in results.items():
        assert kind in ("PatternError", "ValueError", "TypeError"), f"{call}: {kind} {text}"
        assert text


def test_every_public_function_is_called(outcomes):
    import tsgu

    names = set(tsgu.__all__)
    for part in ("utils", "distributions", "cupy", "jax", "plots"):
        names |= {f"{part}.{name}" for name in getattr(tsgu, part).__all__}
    names |= {f"direct.{name}" for name in set(tsgu.direct.__all__) - names}
    for owner in (tsgu.Pattern, tsgu.Operator, tsgu.Matrix):
        members = {name for name in vars(owner) if not name.startswith("_")}
        slots = set(getattr(owner, "__slots__", ()))
        names |= {f"{owner.__name__}.{name}" for name in members - slots}
    names -= {"Pattern"}  # its methods
    called = {call.split(":")[0] for results in outcomes.values() for call in results}
    assert called <= names
    assert names - called == malformed.WITHOUT_POSITIONS


def test_a_message_says_where():
    import tsgu

    positions = torch.tensor([0, 1, 2])
    with pytest.raises(tsgu.PatternError) as caught:
        tsgu.csr(positions, torch.tensor([0, 7]), torch.ones(2), (2, 3))
    text = str(caught.value)
    assert "row 1" in text and "column 7" in text and "0 to 2" in text


@pytest.mark.parametrize("name", ["maxiter", "restart"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 2**63, 1.5, 0, -1])
def test_a_count_is_a_whole_number(name, value):
    import tsgu

    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        tsgu.solver("gmres", **{name: value})
