//===- Symbolic.h - What a pattern says of a Cholesky factor ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Columns of the factor that have the same rows are a supernode. Its front is
// the dense matrix of its own columns and of the rows below them; a front adds
// what it eliminated to the front of its parent in the tree.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_SYMBOLIC_H
#define TSGU_SRC_DIRECT_CHOLESKY_SYMBOLIC_H

#include "base/Attachments.h"
#include "pattern/Matrix.h"

#include <span>
#include <vector>

namespace tsgu::runtime::cholesky {

/// Of rows and supernodes; what counts entries has 64 bits.
using Index = int32_t;

/// The pattern of A + A^T with all of its diagonal, columns ascending.
struct Graph {
  std::vector<int64_t> starts;
  std::vector<Index> neighbours;
};

/// Two entries of an item that are each other's conjugates, counted from the
/// item's first; -1: not stored. The row of `entry` is the column of L that it
/// belongs to.
struct Pair {
  int64_t entry, mirror;
};

struct Symbolic : Attachment {
  std::vector<Index> order;       ///< Rows of A as they are eliminated.
  std::vector<Index> first;       ///< Columns of supernode s: from first[s] on.
  std::vector<Index> parent;      ///< -1: a root.
  std::vector<char> atEnd;        ///< Of a Stack: on odd levels of the tree.
  std::vector<int64_t> rowStarts; ///< Rows of L below each supernode's columns,
  std::vector<Index> rows;        ///< ascending,
  std::vector<Index> relative;    ///< and their places in the parent's front.
  std::vector<int64_t> childStarts;
  std::vector<Index> children;
  /// A in the lower triangle, by columns of L, the diagonal first: places in
  /// the column's front.
  std::vector<int64_t> entryStarts;
  std::vector<Index> entryRows;
  std::vector<Pair> entries;
  /// Supernodes of each task, whole subtrees, and from the last on the top of
  /// the tree: of the pattern alone, so that threads change no sum.
  std::vector<Index> taskStarts;

  int64_t factorEntries = 0; ///< Without padding, with explicit zeros.
  double flops = 0;          ///< Additions and multiplications.

  Index columns() const { return static_cast<Index>(order.size()); }
  Index supernodes() const { return static_cast<Index>(parent.size()); }
  Index tasks() const { return static_cast<Index>(taskStarts.size()) - 1; }
  Index width(Index s) const { return first[s + 1] - first[s]; }
  Index below(Index s) const {
    return static_cast<Index>(rowStarts[s + 1] - rowStarts[s]);
  }
  Index height(Index s) const { return width(s) + below(s); }
  std::span<const Index> rowsOf(Index s) const {
    return {rows.data() + rowStarts[s], rows.data() + rowStarts[s + 1]};
  }
  std::span<const Index> relativeOf(Index s) const {
    return {relative.data() + rowStarts[s], relative.data() + rowStarts[s + 1]};
  }
  std::span<const Index> childrenOf(Index s) const {
    return {children.data() + childStarts[s],
            children.data() + childStarts[s + 1]};
  }
  /// The row of A at a place of supernode s's front.
  Index rowAt(Index s, Index place) const {
    const Index w = width(s);
    return order[place < w ? first[s] + place : rows[rowStarts[s] + place - w]];
  }
  int64_t bytes() const override;
};

//===-- The steps of the analysis -----------------------------------------===//

/// Vertices as they are eliminated, by approximate minimum degree (Amestoy,
/// Davis, Duff 1996), Eigen's.
std::vector<Index> orderByDegree(const Graph &graph);

/// A supernode before its rows are listed.
struct Supernode {
  Index columns, below; ///< Counts.
  Index parent;         ///< -1: a root.
};

/// The tree of supernodes, children before parents; `order` is changed to one
/// with the same fill in which each supernode's columns stand together.
std::vector<Supernode> findSupernodes(const Graph &graph,
                                      std::vector<Index> &order,
                                      std::vector<Index> &taskStarts);

/// Additions and multiplications.
double flopsOf(Index columns, Index below);

/// The analysis of A's item, made once for its pattern. Throws InvalidArgument
/// for a matrix with more rows than 32 bits can count.
template <typename T>
std::shared_ptr<const Symbolic> analyse(const Matrix<T> &A);

/// The analysis with column k of L in supernode of[k], its own or one of those
/// above it.
template <typename T>
std::shared_ptr<const Symbolic> moveColumns(const Matrix<T> &A,
                                            const Symbolic &from,
                                            const std::vector<Index> &of);

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_SYMBOLIC_H
