"""Ours and its peers on one case: who fails, who gives another result, and how long each takes."""

import torch

import measure

_TOLERANCE = 1e-4  # of the bound of an element
_TINY = 1e-30


def _parts(result):
    """The result's dense tensors."""
    results = result if isinstance(result, tuple) else (result,)
    return [r.values() if r.layout is torch.sparse_csr else r for r in results]


def _within(x, y, bound):
    """Whether two tensors agree by element; NaN agrees with nothing."""
    # Piece by piece: what this takes is small beside the tensors.
    tensors = (x, y) if bound is None else (x, y, bound)
    for x, y, *bounds in zip(
        *(t.detach().reshape(-1).split(1 << 26) for t in tensors), strict=True
    ):
        size = bounds[0] if bounds else torch.minimum(x.abs(), y.abs())
        if not ((x - y).abs() <= _TOLERANCE * size + _TINY).all():
            return False
    return True


class Contenders(dict):
    """run() by name, of which "tsgu" is ours; those that are out are in `errors`, with why.

    `bound()` gives, for each tensor of a result, what another order of summation is relative to:
    the sums of absolute values. Without it elements are compared relatively.
    """

    def __init__(self, bound=None):
        super().__init__()
        self.errors = {}
        self._bound = bound
        self._bounds = None
        self._groups = []  # (result, the names of those that agree on it), two at most

    def attempt(self, name, prepare, compared=True):
        """Adds what `prepare()` makes, which is run once, if it agrees with ours."""
        try:
            run = prepare()
            result = run()
            if compared and not self._agrees(name, _parts(result)):
                self.errors[name] = f"its result differs from that of {self._groups[0][1][0]}"
            else:
                self[name] = run
        except Exception as error:
            self.errors[name] = measure.reason(error)

    def _agrees(self, name, parts):
        """Whether the result is that of the first contender."""
        for k, (other, names) in enumerate(self._groups):
            if all(map(_within, parts, other, self._bounds_of(parts))):
                names.append(name)
                return k == 0
        if len(self._groups) < 2:
            self._groups.append(([part.detach().clone() for part in parts], [name]))
        return len(self._groups) == 1

    def _bounds_of(self, parts):
        if self._bound is None:
            return [None] * len(parts)
        if self._bounds is None:
            self._bounds = _parts(self._bound())
        return self._bounds

    @property
    def wrong(self):
        """Whether two peers agree with each other and not with ours."""
        return "tsgu" in self and any(
            len(names) > 1 and "tsgu" not in names for _, names in self._groups
        )

    def row(self, device, case, moved=0):
        """The row (see sections.py); `moved`: bytes of the compulsory traffic."""
        wrong = self.wrong
        self._groups, self._bounds = [], None  # their memory is needed no more
        timings = measure.in_turns(device, self)
        row = {"case": case, "timings": timings, "errors": self.errors, "bytes": moved}
        return {**row, "wrong": True} if wrong else row
