//===- Columns.cpp - A Cholesky factor column by column -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/lanes/Columns.h"
#include "direct/cholesky/Symbolic.h"

#include <algorithm>

namespace tsgu::runtime::lanewise {
namespace {

using Index = Columns::Index;

/// The fronts of one larger matrix after the other are as fast.
constexpr int64_t mostRows = 512, mostProducts = 1 << 17;

/// The rows of L's columns: those of A's, and those that the columns leave
/// whose first one it is.
void setRows(const cholesky::Symbolic &symbolic, Columns &to) {
  const Index n = symbolic.columns();
  Recipe &recipe = to.recipe;
  std::vector<std::vector<Index>> below(n), children(n);
  std::vector<Index> entryAt(n);
  for (Index s = 0; s < symbolic.supernodes(); ++s)
    for (Index k = symbolic.first[s]; k < symbolic.first[s + 1]; ++k) {
      std::vector<Index> &rows = below[k];
      std::fill(entryAt.begin(), entryAt.end(), -1);
      for (int64_t e = symbolic.entryStarts[k]; e < symbolic.entryStarts[k + 1];
           ++e) {
        const Index local = symbolic.entryRows[e];
        const Index row = local < symbolic.width(s)
                              ? symbolic.first[s] + local
                              : symbolic.rowsOf(s)[local - symbolic.width(s)];
        const auto [entry, mirror] = symbolic.entries[e];
        if (row == k) {
          to.diagonal.push_back(static_cast<Index>(entry));
          continue;
        }
        rows.push_back(row), entryAt[row] = static_cast<Index>(entry);
        to.pairs.push_back({static_cast<Index>(entry),
                            static_cast<Index>(mirror), symbolic.order[k],
                            symbolic.order[row]});
      }
      for (const Index child : children[k])
        rows.insert(rows.end(), below[child].begin() + 1, below[child].end());
      std::sort(rows.begin(), rows.end());
      rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
      if (!rows.empty())
        children[rows.front()].push_back(k);
      recipe.middles.push_back(recipe.starts.back());
      recipe.rowOf.insert(recipe.rowOf.end(), rows.begin(), rows.end());
      recipe.starts.push_back(static_cast<Index>(recipe.entries()));
      recipe.from.push_back(to.diagonal.back());
      for (const Index row : rows)
        recipe.from.push_back(entryAt[row]);
    }
}

} // namespace

int64_t Columns::bytes() const {
  return recipe.bytes() +
         static_cast<int64_t>(diagonal.capacity() * sizeof(Index) +
                              pairs.capacity() * sizeof(Pair));
}

template <typename T>
std::shared_ptr<const Columns> columnsOf(const Matrix<T> &A) {
  return A.pattern->attachments().template get<Columns>(
      attachmentKey(AttachmentKind::Lanes, TSGU_CHOLESKY), [&] {
        auto made = std::make_shared<Columns>();
        if (A.rows() > mostRows)
          return made;
        const auto symbolic = cholesky::analyse(A);
        if (symbolic->factorEntries > Recipe::mostPlaces)
          return made;
        made->recipe.rows = made->recipe.columns = symbolic->order;
        setRows(*symbolic, *made);
        const auto &diagonal = made->diagonal;
        made->pay =
            std::find(diagonal.begin(), diagonal.end(), -1) == diagonal.end() &&
            made->recipe.list(true, mostProducts);
        return made;
      });
}

template std::shared_ptr<const Columns> columnsOf(const Matrix<float> &);
template std::shared_ptr<const Columns> columnsOf(const Matrix<double> &);

} // namespace tsgu::runtime::lanewise
