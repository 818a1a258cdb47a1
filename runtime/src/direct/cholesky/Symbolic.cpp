//===- Symbolic.cpp - What a pattern says of a Cholesky factor ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Symbolic.h"
#include "base/Callbacks.h"
#include "pattern/Rows.h"

#include <algorithm>
#include <limits>

namespace tsgu::runtime::cholesky {
namespace {

/// The graph, with the entries that each of its edges stands for.
struct Entries {
  Graph graph;
  std::vector<Pair> pairs;
};

template <typename I>
Entries entriesOf(Index n, const I *positions, const I *coordinates) {
  const int64_t first = positions[0];
  // The entries of each column, by rows.
  std::vector<int64_t> starts(n + 1);
  for (int64_t e = positions[0]; e < positions[n]; ++e)
    ++starts[coordinates[e] + 1];
  for (Index j = 0; j < n; ++j)
    starts[j + 1] += starts[j];
  std::vector<Index> rows(starts[n]);
  std::vector<int64_t> entries(starts[n]);
  std::vector<int64_t> next(starts.begin(), starts.end() - 1);
  for (Index i = 0; i < n; ++i)
    for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
      const int64_t at = next[coordinates[e]]++;
      rows[at] = i, entries[at] = e - first;
    }
  Entries made;
  made.graph.starts.assign(1, 0);
  made.graph.starts.reserve(n + 1);
  made.graph.neighbours.reserve(starts[n] + n);
  made.pairs.reserve(starts[n] + n);
  constexpr Index none = std::numeric_limits<Index>::max();
  for (Index i = 0; i < n; ++i) {
    int64_t e = positions[i], t = starts[i];
    bool diagonal = false;
    for (;;) {
      const Index a = e < positions[i + 1] ? Index(coordinates[e]) : none;
      const Index b = t < starts[i + 1] ? rows[t] : none;
      const Index j = std::min({a, b, diagonal ? none : i});
      if (j == none)
        break;
      diagonal |= j == i;
      made.graph.neighbours.push_back(j);
      made.pairs.push_back(
          {j == a ? e++ - first : -1, j == b ? entries[t++] : -1});
    }
    made.graph.starts.push_back(
        static_cast<int64_t>(made.graph.neighbours.size()));
  }
  return made;
}

template <typename T> Entries entriesOf(const Matrix<T> &A) {
  return withRows(A, [&](auto *positions, auto *coordinates) {
    return entriesOf(static_cast<Index>(A.rows()), positions, coordinates);
  });
}

/// Takes the tree over.
void setTree(const std::vector<Supernode> &nodes, Symbolic &to) {
  to.first.assign(1, 0);
  to.childStarts.assign(nodes.size() + 1, 0);
  for (const Supernode &node : nodes) {
    to.first.push_back(to.first.back() + node.columns);
    to.parent.push_back(node.parent);
    if (node.parent >= 0)
      ++to.childStarts[node.parent + 1];
  }
  for (size_t s = 0; s < nodes.size(); ++s)
    to.childStarts[s + 1] += to.childStarts[s];
  to.children.resize(to.childStarts.back());
  std::vector<int64_t> next(to.childStarts.begin(), to.childStarts.end() - 1);
  for (Index s = 0; s < to.supernodes(); ++s)
    if (to.parent[s] >= 0)
      to.children[next[to.parent[s]]++] = s;
  to.atEnd.resize(nodes.size());
  for (Index s = to.supernodes(); s-- > 0;)
    to.atEnd[s] = to.parent[s] >= 0 && !to.atEnd[to.parent[s]];
}

/// Lists the rows of fronts, `below` in all or so, where children's rows go,
/// and where entries of A.
void setRows(const Entries &from, int64_t below, Symbolic &to) {
  const Index n = to.columns();
  std::vector<Index> place(n), local(n), of(n, -1);
  for (Index k = 0; k < n; ++k)
    place[to.order[k]] = k;
  to.rows.reserve(below + 1), to.relative.reserve(below); // An address, too.
  to.rowStarts.assign(1, 0);
  to.entryStarts.assign(1, 0);
  to.entryStarts.reserve(n + 1);
  to.entryRows.reserve(from.pairs.size() / 2 + n);
  to.entries.reserve(from.pairs.size() / 2 + n);
  InterruptCheck check;
  for (Index s = 0; s < to.supernodes(); ++s) {
    const Index begin = to.first[s], end = to.first[s + 1];
    const int64_t start = to.rowStarts.back();
    auto meet = [&](Index row) {
      if (row >= end && std::exchange(of[row], s) != s)
        to.rows.push_back(row);
    };
    for (const Index c : to.childrenOf(s))
      for (int64_t r = to.rowStarts[c]; r < to.rowStarts[c + 1]; ++r)
        meet(to.rows[r]);
    for (Index k = begin; k < end; ++k) {
      const Index vertex = to.order[k];
      for (int64_t e = from.graph.starts[vertex];
           e < from.graph.starts[vertex + 1]; ++e)
        meet(place[from.graph.neighbours[e]]);
    }
    Index *const rows = to.rows.data() + start;
    Index *const last = to.rows.data() + to.rows.size();
    std::sort(rows, last);
    to.relative.resize(to.rows.size());
    to.rowStarts.push_back(static_cast<int64_t>(to.rows.size()));
    const int64_t w = end - begin, m = last - rows;
    to.factorEntries += w * (w + 1) / 2 + w * m;
    to.flops += flopsOf(static_cast<Index>(w), static_cast<Index>(m));
    for (Index k = begin; k < end; ++k)
      local[k] = k - begin;
    for (const Index *row = rows; row < last; ++row)
      local[*row] = static_cast<Index>(row - rows) + end - begin;
    for (const Index c : to.childrenOf(s))
      for (int64_t r = to.rowStarts[c]; r < to.rowStarts[c + 1]; ++r)
        to.relative[r] = local[to.rows[r]];
    for (Index k = begin; k < end; ++k) {
      const Index vertex = to.order[k];
      size_t diagonal = 0;
      for (int64_t e = from.graph.starts[vertex];
           e < from.graph.starts[vertex + 1]; ++e)
        if (const Index row = place[from.graph.neighbours[e]]; row >= k) {
          to.entryRows.push_back(local[row]);
          to.entries.push_back(from.pairs[e]);
          if (row == k)
            diagonal = to.entries.size() - 1;
        }
      std::swap(to.entryRows[diagonal], to.entryRows[to.entryStarts.back()]);
      std::swap(to.entries[diagonal], to.entries[to.entryStarts.back()]);
      to.entryStarts.push_back(static_cast<int64_t>(to.entries.size()));
    }
    check.after(to.entryStarts.back() - to.entryStarts[begin]);
  }
}

} // namespace

int64_t Symbolic::bytes() const {
  int64_t sum = 0;
  const auto count = [&](const auto &list) {
    sum += static_cast<int64_t>(list.capacity() * sizeof(list[0]));
  };
  for (const auto *list : {&order, &first, &parent, &rows, &relative, &children,
                           &entryRows, &taskStarts})
    count(*list);
  for (const auto *list : {&rowStarts, &childStarts, &entryStarts})
    count(*list);
  count(entries), count(atEnd);
  return sum;
}

template <typename T>
std::shared_ptr<const Symbolic> analyse(const Matrix<T> &A) {
  return A.pattern->attachments().template get<Symbolic>(
      attachmentKey(AttachmentKind::Elimination,
                    static_cast<uint64_t>(A.item) << 8 | TSGU_CHOLESKY),
      [&] {
        if (A.rows() >= std::numeric_limits<Index>::max() / 2)
          fail(Status::InvalidArgument, "cholesky: a matrix of ", A.rows(),
               " rows has more than are factorised, ",
               std::numeric_limits<Index>::max() / 2);
        auto made = std::make_shared<Symbolic>();
        const Entries entries = entriesOf(A);
        checkInterrupt();
        made->order = orderByDegree(entries.graph);
        checkInterrupt();
        const std::vector<Supernode> nodes =
            findSupernodes(entries.graph, made->order, made->taskStarts);
        checkInterrupt();
        setTree(nodes, *made);
        int64_t below = 0;
        for (const Supernode &node : nodes)
          below += node.below;
        setRows(entries, below, *made);
        return made;
      });
}

template <typename T>
std::shared_ptr<const Symbolic> moveColumns(const Matrix<T> &A,
                                            const Symbolic &from,
                                            const std::vector<Index> &of) {
  std::vector<std::vector<Index>> columns(from.supernodes());
  for (const bool isMoved : {false, true}) // Those behind its own.
    for (Index s = 0; s < from.supernodes(); ++s)
      for (Index k = from.first[s]; k < from.first[s + 1]; ++k)
        if ((of[k] != s) == isMoved)
          columns[of[k]].push_back(from.order[k]);
  auto made = std::make_shared<Symbolic>();
  std::vector<Index> places(from.supernodes() + 1);
  for (Index s = 0; s < from.supernodes(); ++s) {
    places[s + 1] = places[s] + (columns[s].empty() ? 0 : 1);
    made->order.insert(made->order.end(), columns[s].begin(), columns[s].end());
  }
  std::vector<Supernode> nodes;
  for (Index s = 0; s < from.supernodes(); ++s) {
    Index parent = from.parent[s];
    while (parent >= 0 && columns[parent].empty())
      parent = from.parent[parent];
    if (!columns[s].empty())
      nodes.push_back({static_cast<Index>(columns[s].size()), 0,
                       parent < 0 ? -1 : places[parent]});
  }
  for (const Index start : from.taskStarts)
    made->taskStarts.push_back(places[start]);
  setTree(nodes, *made);
  setRows(entriesOf(A), static_cast<int64_t>(from.rows.size()), *made);
  return made;
}

#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const Symbolic> analyse(const Matrix<T> &);         \
  template std::shared_ptr<const Symbolic> moveColumns(                        \
      const Matrix<T> &, const Symbolic &, const std::vector<Index> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
