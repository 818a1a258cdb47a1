"""docs/GPU.md shows what its commands print."""

import os
import re
import subprocess

import pytest
from kernel_tools import CHECKOUT, TSGU_OPT

PAGE = (CHECKOUT / "docs" / "GPU.md").read_text()
BLOCKS = re.findall(r"^```console\n\$ ([^\n]*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def words(line):
    return " ".join(line.split())


def matches(shown, printed):
    return printed.startswith(shown[:-3]) if shown.endswith("...") else printed == shown


def first_absent(excerpt, output):
    """The first line of an excerpt that does not follow; "..." stands for any lines, or a rest."""
    printed, at, skips = [words(line) for line in output.splitlines()], 0, False
    for shown in map(words, excerpt.splitlines()):
        if shown == "...":
            skips = True
            continue
        candidates = range(at, len(printed) if skips else min(at + 1, len(printed)))
        at = 1 + next((i for i in candidates if matches(shown, printed[i])), len(printed))
        if at > len(printed):
            return shown
        skips = False
    return None


def test_the_page_has_commands():
    assert len(BLOCKS) == PAGE.count("```console") >= 8


@pytest.mark.parametrize("command, excerpt", BLOCKS)
def test_commands_print_what_the_page_shows(command, excerpt):
    path = f"{TSGU_OPT.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=CHECKOUT, capture_output=True, text=True, env={"PATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert first_absent(excerpt, done.stdout) is None


def test_an_excerpt_that_is_not_printed_is_found():
    output = "one\n  two\nthree 3\nfour\n"
    assert first_absent("one\ntwo\n...\nfour\n", output) is None
    assert first_absent("...\nthree ...\nfour\n", output) is None
    assert first_absent("one\nthree 3\n", output) == "three 3"
    assert first_absent("...\nfour\n...\none\n", output) == "one"
    assert first_absent("...\nfour\nfive\n", output) == "five"
