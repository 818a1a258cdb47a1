"""Distinct numbers at random: which elements of a matrix are stored."""

import math

import torch

_LARGEST = 2**63 - 1


def distinct(items, count, population, device="cpu", generator=None):
    """`count` distinct numbers below `population` for each item, in order: (items, count), int64.

    Every set is as likely as every other one, but for population / 2^63. Takes O(items count)
    memory, and time for sorting them.
    """
    if count > population // 2:
        # What is left out is fewer, and the population not much larger than what is kept.
        absent = distinct(items, population - count, population, device, generator)
        kept = torch.ones(items, population, dtype=torch.bool, device=device)
        kept.scatter_(1, absent, False)
        return kept.nonzero()[:, 1].view(items, count)
    draws = _enough_draws(count, population)
    while True:
        # The modulus of 63 bits favours no number by more than population / 2^63.
        drawn = torch.randint(_LARGEST, (items, draws), device=device, generator=generator)
        found = _first_distinct(drawn % max(population, 1), count)
        if found is not None:
            return found
        draws += draws // 4 + 8


def _enough_draws(count, population):
    """A number of draws that have `count` distinct ones among them but for bad luck.

    As many as that takes on average, and a margin.
    """
    if count == 0:
        return 0
    mean = -population * math.log1p(-count / population)
    return math.ceil(mean + 6 * mean / math.sqrt(population)) + 8


def _first_distinct(drawn, count):
    """The first `count` distinct numbers of each row, in order; None where a row has fewer.

    The first ones that were drawn: no set is preferred, whatever the number of repetitions.
    """
    in_order, place = drawn.sort(dim=1, stable=True)
    is_new = torch.ones_like(in_order, dtype=torch.bool)
    is_new[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    rank = torch.zeros_like(drawn).scatter_(1, place, is_new.long()).cumsum(1)
    kept = is_new & (rank.gather(1, place) <= count)
    if drawn.shape[1] < count or (kept.sum(1) < count).any():
        return None
    return in_order[kept].view(len(drawn), count)
