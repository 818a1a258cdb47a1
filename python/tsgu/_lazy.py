"""Attributes that are computed when they are first read."""


class lazy:  # noqa: N801 (read like a property)
    """functools.cached_property without its lock, which Python before 3.12 has.

    A fork while another thread computes an attribute would leave that lock taken in the child for
    ever. Two threads may compute one at the same time here; both then see what the first one got.
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
