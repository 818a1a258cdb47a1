//===- Supernodes.cpp - Columns of a factor that have the same rows -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The elimination tree (Liu 1986), the counts of the factor's columns without
// the factor (Gilbert, Ng, Peyton 1994), and the supernodes, of which those
// merge that cost less together, zeros included, than apart.
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Symbolic.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tsgu::runtime::cholesky {

double flopsOf(Index columns, Index below) {
  const double w = columns, m = below;
  return w * w * w / 3 + w * w * m + w * m * m;
}

namespace {

/// What the front of a supernode costs, in about processor cycles: by itself,
/// by the entries of its panel, whose columns are padded, by what it adds to
/// its parent, and by its arithmetic.
double costOf(Index columns, Index below) {
  constexpr Index lanes = 8;
  const double w = columns, m = below;
  const double height = (columns + below + lanes - 1) / lanes * lanes;
  return 350 + 5 * w * height + 0.5 * m * m + flopsOf(columns, below) / 24;
}

/// The graph in the order of elimination.
struct Ordered {
  const Graph &graph;
  const std::vector<Index> &order;
  std::vector<Index> place; ///< Of each vertex.

  Ordered(const Graph &graph, const std::vector<Index> &order)
      : graph(graph), order(order), place(order.size()) {
    for (Index k = 0; k < size(); ++k)
      place[order[k]] = k;
  }
  Index size() const { return static_cast<Index>(order.size()); }

  /// function(place of a neighbour) for those of the vertex at place k.
  template <typename F> void forNeighbours(Index k, F &&function) const {
    const Index vertex = order[k];
    for (int64_t e = graph.starts[vertex]; e < graph.starts[vertex + 1]; ++e)
      function(place[graph.neighbours[e]]);
  }
};

/// The root above `i`, and all on the way made to point there.
Index rootOf(std::vector<Index> &ancestor, Index i) {
  Index root = i;
  while (ancestor[root] >= 0 && ancestor[root] != root)
    root = ancestor[root];
  while (i != root)
    i = std::exchange(ancestor[i], root);
  return root;
}

std::vector<Index> eliminationTree(const Ordered &ordered) {
  std::vector<Index> parent(ordered.size(), -1), ancestor(ordered.size(), -1);
  for (Index k = 0; k < ordered.size(); ++k)
    ordered.forNeighbours(k, [&](Index i) {
      while (i < k) {
        const Index next = std::exchange(ancestor[i], k);
        if (next < 0)
          parent[i] = k;
        i = next < 0 ? k : next;
      }
    });
  return parent;
}

/// Nodes, children before parents and subtrees together.
std::vector<Index> postorder(const std::vector<Index> &parent) {
  const auto n = static_cast<Index>(parent.size());
  std::vector<Index> child(n, -1), sibling(n, -1), stack, post;
  post.reserve(n);
  for (Index k = n; k-- > 0;)
    if (parent[k] >= 0)
      sibling[k] = std::exchange(child[parent[k]], k);
  for (Index root = 0; root < n; ++root) {
    if (parent[root] >= 0)
      continue;
    stack.push_back(root);
    while (!stack.empty()) {
      const Index node = stack.back();
      if (const Index next = std::exchange(child[node], -1); next >= 0) {
        for (Index c = next; c >= 0; c = sibling[c])
          stack.push_back(c);
      } else {
        post.push_back(node), stack.pop_back();
      }
    }
  }
  return post;
}

/// Renumbers by `post`: order and tree.
void renumber(const std::vector<Index> &post, std::vector<Index> &order,
              std::vector<Index> &parent) {
  const auto n = static_cast<Index>(post.size());
  std::vector<Index> place(n), newOrder(n), newParent(n);
  for (Index k = 0; k < n; ++k)
    place[post[k]] = k;
  for (Index k = 0; k < n; ++k) {
    newOrder[k] = order[post[k]];
    newParent[k] = parent[post[k]] < 0 ? -1 : place[parent[post[k]]];
  }
  order = std::move(newOrder), parent = std::move(newParent);
}

/// Entries of each column of the factor, the diagonal included; the tree is
/// numbered in postorder. A row's entries are the paths of its leaves.
std::vector<Index> columnCounts(const Ordered &ordered,
                                const std::vector<Index> &parent) {
  const Index n = ordered.size();
  std::vector<Index> count(n), firstBelow(n, -1), furthest(n, -1),
      lastLeaf(n, -1), ancestor(n);
  std::iota(ancestor.begin(), ancestor.end(), 0);
  for (Index k = 0; k < n; ++k) {
    count[k] = firstBelow[k] < 0;
    for (Index j = k; j >= 0 && firstBelow[j] < 0; j = parent[j])
      firstBelow[j] = k;
  }
  for (Index j = 0; j < n; ++j) {
    if (parent[j] >= 0)
      --count[parent[j]];
    ordered.forNeighbours(j, [&](Index i) {
      if (i <= j || firstBelow[j] <= furthest[i])
        return;
      furthest[i] = firstBelow[j];
      ++count[j];
      if (const Index before = std::exchange(lastLeaf[i], j); before >= 0)
        --count[rootOf(ancestor, before)];
    });
    if (parent[j] >= 0)
      ancestor[j] = parent[j];
  }
  for (Index j = 0; j < n; ++j)
    if (parent[j] >= 0)
      count[parent[j]] += count[j];
  return count;
}

/// Runs of columns, each the only one below the next and with its rows.
std::vector<Supernode> fundamental(const std::vector<Index> &parent,
                                   const std::vector<Index> &count) {
  std::vector<Supernode> nodes;
  std::vector<Index> of(parent.size());
  for (Index j = 0; j < static_cast<Index>(parent.size()); ++j) {
    const bool joins =
        j > 0 && parent[j - 1] == j && count[j - 1] == count[j] + 1;
    if (!joins)
      nodes.push_back({0, 0, parent[j]});
    Supernode &node = nodes.back();
    ++node.columns, node.below = count[j] - 1, node.parent = parent[j];
    of[j] = static_cast<Index>(nodes.size()) - 1;
  }
  for (Supernode &node : nodes)
    if (node.parent >= 0)
      node.parent = of[node.parent];
  return nodes;
}

/// Into which node each goes, itself if it stays; sizes become those merged.
/// The rows of a child are columns or rows of its parent, so that merged
/// columns have the parent's rows.
std::vector<Index> merge(std::vector<Supernode> &nodes) {
  const auto n = static_cast<Index>(nodes.size());
  std::vector<Index> into(n);
  std::iota(into.begin(), into.end(), 0);
  std::vector<std::vector<Index>> waiting; // Children, of nodes yet to come.
  std::vector<Index> slot(n, -1), unused;
  for (Index p = 0; p < n; ++p) {
    Supernode &node = nodes[p];
    if (slot[p] >= 0) {
      auto &children = waiting[slot[p]];
      // Those first that add the fewest zeros.
      std::sort(children.begin(), children.end(), [&](Index a, Index b) {
        return std::pair(-nodes[a].below, a) < std::pair(-nodes[b].below, b);
      });
      for (const Index c : children) {
        const Supernode &child = nodes[c];
        const Index together = node.columns + child.columns;
        if (costOf(together, node.below) >
            costOf(node.columns, node.below) +
                costOf(child.columns, child.below))
          continue;
        node.columns = together, into[c] = p;
      }
      children.clear();
      unused.push_back(slot[p]);
    }
    if (node.parent < 0)
      continue;
    Index &at = slot[node.parent];
    if (at < 0) {
      if (unused.empty()) {
        unused.push_back(static_cast<Index>(waiting.size()));
        waiting.emplace_back();
      }
      at = unused.back(), unused.pop_back();
    }
    waiting[at].push_back(p);
  }
  for (Index p = n; p-- > 0;)
    into[p] = into[into[p]];
  return into;
}

/// Nodes that merged share their columns; children before parents, those first
/// that leave the least memory behind beside what they need.
std::vector<Index> orderNodes(const std::vector<Supernode> &nodes,
                              const std::vector<Index> &into) {
  const auto n = static_cast<Index>(nodes.size());
  std::vector<std::vector<Index>> children(n + 1); // The last: roots.
  for (Index c = 0; c < n; ++c)
    if (into[c] == c)
      children[nodes[c].parent < 0 ? n : nodes[c].parent].push_back(c);
  std::vector<double> peak(n), left(n);
  for (Index p = 0; p < n; ++p) {
    if (into[p] != p)
      continue;
    left[p] = double(nodes[p].below) * nodes[p].below;
    std::sort(children[p].begin(), children[p].end(), [&](Index a, Index b) {
      return std::pair(left[a] - peak[a], a) < std::pair(left[b] - peak[b], b);
    });
    double held = 0;
    for (const Index c : children[p]) {
      peak[p] = std::max(peak[p], held + peak[c]);
      held += left[c];
    }
    peak[p] = std::max(peak[p], held + left[p]);
  }
  std::vector<Index> stack(children[n].rbegin(), children[n].rend()), post;
  while (!stack.empty()) {
    const Index node = stack.back();
    if (children[node].empty()) {
      post.push_back(node), stack.pop_back();
      continue;
    }
    stack.insert(stack.end(), children[node].rbegin(), children[node].rend());
    children[node].clear();
  }
  return post;
}

/// Moves the top of the tree, nodes with more below them than a task should
/// have, behind all others, and cuts those into tasks.
std::vector<Index> cutIntoTasks(const std::vector<Supernode> &nodes,
                                std::vector<Index> &post) {
  constexpr double fewest = 1e6, tasks = 24;
  std::vector<double> work(nodes.size());
  double all = 0;
  for (const Index s : post) {
    const double own = costOf(nodes[s].columns, nodes[s].below);
    work[s] += own, all += own;
    if (nodes[s].parent >= 0)
      work[nodes[s].parent] += work[s];
  }
  const double most = std::max(fewest, all / tasks);
  std::vector<Index> below, top, starts{0};
  double held = 0;
  for (const Index s : post) {
    if (work[s] > most) {
      top.push_back(s);
      continue;
    }
    below.push_back(s);
    const Index p = nodes[s].parent;
    if (p >= 0 && work[p] <= most)
      continue;
    held += work[s];
    if (held > most / 2)
      starts.push_back(static_cast<Index>(below.size())), held = 0;
  }
  if (starts.back() != static_cast<Index>(below.size()))
    starts.push_back(static_cast<Index>(below.size()));
  below.insert(below.end(), top.begin(), top.end());
  post = std::move(below);
  return starts;
}

} // namespace

std::vector<Supernode> findSupernodes(const Graph &graph,
                                      std::vector<Index> &order,
                                      std::vector<Index> &taskStarts) {
  std::vector<Index> parent = eliminationTree(Ordered(graph, order));
  renumber(postorder(parent), order, parent);
  std::vector<Supernode> nodes =
      fundamental(parent, columnCounts(Ordered(graph, order), parent));
  const auto n = static_cast<Index>(nodes.size());

  std::vector<int64_t> starts(n + 1);
  for (Index s = 0; s < n; ++s)
    starts[s + 1] = starts[s] + nodes[s].columns;
  const std::vector<Index> into = merge(nodes);
  // The first part of each node, and the next one.
  std::vector<Index> part(n, -1), next(n, -1);
  for (Index s = n; s-- > 0;) {
    next[s] = std::exchange(part[into[s]], s);
    if (nodes[s].parent >= 0)
      nodes[s].parent = into[nodes[s].parent];
  }

  std::vector<Index> post = orderNodes(nodes, into);
  taskStarts = cutIntoTasks(nodes, post);
  std::vector<Supernode> merged;
  std::vector<Index> number(n), columns;
  merged.reserve(post.size()), columns.reserve(order.size());
  for (const Index node : post) {
    number[node] = static_cast<Index>(merged.size());
    merged.push_back(nodes[node]);
    for (Index s = part[node]; s >= 0; s = next[s])
      for (int64_t k = starts[s]; k < starts[s + 1]; ++k)
        columns.push_back(order[k]);
  }
  for (Supernode &node : merged)
    if (node.parent >= 0)
      node.parent = number[node.parent];
  order = std::move(columns);
  return merged;
}

} // namespace tsgu::runtime::cholesky
