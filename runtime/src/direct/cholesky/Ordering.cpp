//===- Ordering.cpp - In which order rows are eliminated ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Symbolic.h"

#include <Eigen/SparseCore>

#include <Eigen/OrderingMethods>

#include <limits>

namespace tsgu::runtime::cholesky {

/// With indices of type I.
template <typename I> static std::vector<Index> orderWith(const Graph &graph) {
  const auto n = static_cast<I>(graph.starts.size() - 1);
  Eigen::SparseMatrix<float, Eigen::ColMajor, I> matrix(n, n);
  matrix.resizeNonZeros(graph.starts.back());
  std::copy(graph.starts.begin(), graph.starts.end(), matrix.outerIndexPtr());
  std::copy(graph.neighbours.begin(), graph.neighbours.end(),
            matrix.innerIndexPtr());
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, I> order;
  Eigen::internal::minimum_degree_ordering(matrix, order);
  return {order.indices().data(), order.indices().data() + n};
}

std::vector<Index> orderByDegree(const Graph &graph) {
  // It works in place, in a fifth more than the graph.
  const int64_t room = graph.starts.back() / 5 * 6 +
                       3 * static_cast<int64_t>(graph.starts.size());
  return room < std::numeric_limits<int32_t>::max() ? orderWith<int32_t>(graph)
                                                    : orderWith<int64_t>(graph);
}

} // namespace tsgu::runtime::cholesky
