"""What is computed when it is first asked for, and kept."""

import functools
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    lazy = functools.cached_property  # noqa: TID251 (as which it is read)
else:

    class lazy:  # noqa: N801 (read like a property)
        """functools.cached_property without its lock, which Python before 3.12 has.

        A fork while another thread computes an attribute would leave that lock taken in the child
        for ever. Two threads may compute one at the same time here; both then see what the first
        one got.
        """

        def __init__(self, compute):
            self.compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            return instance.__dict__.setdefault(self.name, self.compute(instance))


def plain(make):
    """`make`, whose tensors outlive the call's modes: they are no transform's, and autograd's.

    Within torch.func and inference mode new tensors belong to the level or the mode, and fail
    wherever else a cache gives them out.
    """

    @functools.wraps(make)
    def made(*arguments):
        if torch.compiler.is_compiling():  # Traced, not kept.
            return make(*arguments)
        # Guards of C alone: a signal can keep one of Python's from its end, which then comes when
        # it is collected, and brings back the modes within these for good.
        with torch._C._DisableFuncTorch(), torch._C._InferenceMode(False):
            return make(*arguments)

    return made
