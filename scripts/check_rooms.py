#!/usr/bin/env python3
"""make lint: no folder of sources includes one that includes it, directly or over others."""

import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
ROOTS = CHECKOUT / "runtime/src", CHECKOUT / "lib/Transforms"


def rooms_used(room):
    """The other folders whose headers the files of this one include, and by which file."""
    used = {}
    for path in sorted(room.rglob("*.[ch]*")):
        for header in re.findall(r'#include "([^"]+)"', path.read_text()):
            other = header.split("/")[0]
            if other != room.name and (room.parent / other).is_dir():
                used.setdefault(other, f"{path.relative_to(CHECKOUT)} includes {header}")
    return used


def circle(uses, path):
    """The first circle on the ways that begin with this path, as a list of folders; or None."""
    for other in uses[path[-1]]:
        if other in path:
            return [*path[path.index(other) :], other]
        if found := circle(uses, [*path, other]):
            return found
    return None


for root in ROOTS:
    uses = {room.name: rooms_used(room) for room in sorted(root.iterdir()) if room.is_dir()}
    for room in uses:
        if found := circle(uses, [room]):
            for a, b in zip(found, found[1:], strict=False):
                print(uses[a][b])
            sys.exit(f"folders of {root.relative_to(CHECKOUT)} in a circle: {' -> '.join(found)}")
