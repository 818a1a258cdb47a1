"""Attention on a graph: who will side with whom in Zachary's karate club?

The club of 34 members split in two (Zachary, 1977). Two layers of attention, each of them a product
sampled on the friendships, a softmax over each member's friends, and a product with what they say,
learn from the sides of the two leaders alone. The weights of the friendships can be read off.
"""

import numpy as np
import torch
from matplotlib.collections import LineCollection
from style import ACCENT, INK, SECOND, main, name, panels, save

import tsgu

# Zachary's friendships, numbered from 0: of each member those with a smaller number.
_FRIENDS = {
    1: [0], 2: [0, 1], 3: [0, 1, 2], 4: [0], 5: [0], 6: [0, 4, 5], 7: [0, 1, 2, 3], 8: [0, 2],
    9: [2], 10: [0, 4, 5], 11: [0], 12: [0, 3], 13: [0, 1, 2, 3], 16: [5, 6], 17: [0, 1],
    19: [0, 1], 21: [0, 1], 25: [23, 24], 27: [2, 23, 24], 28: [2], 29: [23, 26], 30: [1, 8],
    31: [0, 24, 25, 28], 32: [2, 8, 14, 15, 18, 20, 22, 23, 29, 30, 31],
    33: [8, 9, 13, 14, 15, 18, 19, 20, 22, 23, 26, 27, 28, 29, 30, 31, 32],
}  # fmt: skip
_WITH_THE_OFFICER = [8, 9, 14, 15, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33]
_LEADERS = [0, 33]


def club():
    """The pattern of friendships, each member being his own, and the sides (34)."""
    pairs = [(i, j) for i, others in _FRIENDS.items() for j in others]
    pairs += [(j, i) for i, j in pairs] + [(i, i) for i in range(34)]
    pairs = torch.tensor(sorted(pairs)).T
    positions = torch.searchsorted(pairs[0].contiguous(), torch.arange(35))
    sides = torch.zeros(34, dtype=torch.long)
    sides[_WITH_THE_OFFICER] = 1
    return tsgu.Pattern.csr(positions, pairs[1].contiguous(), 34), pairs, sides


class Attention(torch.nn.Module):
    def __init__(self, pattern, width, out):
        super().__init__()
        self.pattern = pattern
        self.query, self.key, self.value = (
            torch.nn.Linear(width, size, bias=False) for size in (8, 8, out)
        )

    def forward(self, X):
        """What each member hears (34, out), and the weights of who says it."""
        scores = tsgu.sddmm(self.pattern, self.query(X) / 8**0.5, self.key(X))
        weights = tsgu.sparse_softmax(scores, -1)
        return weights @ self.value(X), weights


class Network(torch.nn.Module):
    def __init__(self, pattern, width=16):
        super().__init__()
        self.members = torch.nn.Parameter(torch.randn(34, width) / width**0.5)
        self.layers = torch.nn.ModuleList(
            [Attention(pattern, width, width), Attention(pattern, width, 2)]
        )

    def forward(self):
        X = self.members
        for layer in self.layers[:-1]:
            X = torch.tanh(X + layer(X)[0])
        return self.layers[-1](X)


def run(quick=False):
    """Everything that the picture shows, by name."""
    torch.manual_seed(1)
    pattern, pairs, sides = club()
    network = Network(pattern)
    descent = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=5e-4)
    losses, right = [], []
    for _ in range(150 if quick else 300):
        descent.zero_grad()
        heard, weights = network()
        loss = torch.nn.functional.cross_entropy(heard[_LEADERS], sides[_LEADERS])
        loss.backward()
        descent.step()
        losses.append(loss.item())
        right.append((heard.argmax(1) == sides).sum().item())
    print(f"{right[-1]} of 34 members on the right side, from the sides of {len(_LEADERS)}")
    return {
        "pairs": pairs,
        "sides": sides,
        "chance": heard.detach().softmax(1)[:, 1],
        "weights": weights.detach().values,
        "losses": losses,
        "right": right,
    }


def places(pairs, sides):
    """Of the members (34, 2), by springs between friends; leaders left and right."""
    place = np.random.default_rng(3).standard_normal((34, 2)) * 0.3
    place[:, 0] += np.where(sides, 0.6, -0.6)
    for _ in range(300):
        away = place[:, None] - place[None]
        size = np.maximum((away**2).sum(-1), 1e-2)
        force = (0.02 * away / size[..., None]).sum(1)
        i, j = pairs
        np.add.at(force, i, -0.25 * (place[i] - place[j]) / np.bincount(i)[i][:, None] ** 0.5)
        place += 0.1 * force
    return place


def draw(found, path):
    figure, (graph, curve) = panels(1, 2, (14, 6.5), width_ratios=[1.7, 1])
    pairs, sides = found["pairs"].numpy(), found["sides"].numpy()
    place = places(pairs, sides)
    weights = found["weights"].numpy()
    shown = np.argsort(weights)
    graph.add_collection(
        LineCollection(
            place[pairs.T[shown]], colors=INK, linewidths=4 * weights[shown], alpha=0.5, zorder=1
        )
    )
    dots = graph.scatter(
        *place.T,
        c=found["chance"].numpy(),
        cmap="RdBu",
        s=330,
        vmin=0,
        vmax=1,
        edgecolors=INK,
        zorder=2,
    )
    for member, (x, y) in enumerate(place):
        ink = INK if 0.25 < found["chance"][member] < 0.75 else "white"
        weight = "bold" if member in _LEADERS else None
        size = 10 if member in _LEADERS else 8
        graph.text(
            x, y, member, ha="center", va="center", fontsize=size, fontweight=weight, color=ink
        )
    name(graph, "lines: how much members listen to each other; bold numbers: whose side was told")
    figure.colorbar(dots, ax=graph, shrink=0.7, pad=0.01).set_label(
        "chance to side with 33", color=INK
    )
    curve.plot(np.array(found["right"]) / 34, color=SECOND, label="share on the right side")
    curve.plot(found["losses"], color=ACCENT, label="loss of the two leaders")
    curve.set_ylim(0, 1.05)
    curve.legend(frameon=False)
    name(curve, "training", "steps", "")
    save(figure, "Attention on a graph: Zachary's karate club", path)


if __name__ == "__main__":
    main(__file__, run, draw)
