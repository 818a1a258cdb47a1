#!/usr/bin/env python3
"""make lint: no folder of sources includes one that includes it, directly or over others.

Python's folders likewise, of which an import inside of a function is not counted.
"""

import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
USES = {  # by folder of folders: its sources, and how they name a folder beside their own
    "runtime/src": ("*.[ch]*", r'#include "([^"/]+)/'),
    "lib/Transforms": ("*.[ch]*", r'#include "([^"/]+)/'),
    "python/tsgu": ("*.py", r"(?m)^from \.\.(\w+)"),
}


def rooms_used(room, sources, naming):
    """The other folders that the files of this one use, and by which file."""
    used = {}
    for path in sorted(room.rglob(sources)):
        for other in re.findall(naming, path.read_text()):
            if other != room.name and (room.parent / other).is_dir():
                used.setdefault(other, f"{path.relative_to(CHECKOUT)} uses {other}")
    return used


def circle(uses, path):
    """The first circle on the ways that begin with this path, as a list of folders; or None."""
    for other in uses[path[-1]]:
        if other in path:
            return [*path[path.index(other) :], other]
        if found := circle(uses, [*path, other]):
            return found
    return None


for root, (sources, naming) in USES.items():
    rooms = [room for room in sorted((CHECKOUT / root).iterdir()) if room.is_dir()]
    uses = {room.name: rooms_used(room, sources, naming) for room in rooms}
    for room in uses:
        if found := circle(uses, [room]):
            for a, b in zip(found, found[1:], strict=False):
                print(uses[a][b])
            sys.exit(f"folders of {root} in a circle: {' -> '.join(found)}")
