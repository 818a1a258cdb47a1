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

/// The factors of a group stay within the second-level cache, or the fronts of
/// one matrix after the other are faster.
constexpr int64_t mostRows = 512, mostEntries = 16384;

/// The rows of L's columns: those of A's, and those that the columns leave
/// whose first one it is.
void setRows(const cholesky::Symbolic &symbolic, Columns &to) {
  const Index n = symbolic.columns();
  std::vector<std::vector<Index>> below(n), children(n);
  std::vector<Index> entryAt(n);
  to.starts.assign(1, 0);
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
      to.rows.insert(to.rows.end(), rows.begin(), rows.end());
      for (const Index row : rows)
        to.from.push_back(entryAt[row]);
      to.starts.push_back(static_cast<Index>(to.rows.size()));
    }
}

void setUpdates(Columns &to) {
  const auto n = static_cast<Index>(to.size());
  to.updateStarts.assign(n + 1, 0);
  for (const Index row : to.rows)
    ++to.updateStarts[row + 1];
  for (Index k = 0; k < n; ++k)
    to.updateStarts[k + 1] += to.updateStarts[k];
  to.updates.resize(to.rows.size());
  std::vector<Index> next(to.updateStarts.begin(), to.updateStarts.end() - 1);
  for (Index k = 0; k < n; ++k)
    for (Index e = to.starts[k]; e < to.starts[k + 1]; ++e)
      to.updates[next[to.rows[e]]++] = {e, to.starts[k + 1]};
}

} // namespace

int64_t Columns::bytes() const {
  int64_t sum = 0;
  const auto count = [&](const auto &list) {
    sum += static_cast<int64_t>(list.capacity() * sizeof(list[0]));
  };
  for (const auto *list :
       {&order, &diagonal, &starts, &rows, &from, &updateStarts})
    count(*list);
  count(updates), count(pairs);
  return sum;
}

template <typename T>
std::shared_ptr<const Columns> columnsOf(const Matrix<T> &A) {
  return A.pattern->attachments().template get<Columns>(
      attachmentKey(AttachmentKind::Lanes, TSGU_CHOLESKY), [&] {
        auto made = std::make_shared<Columns>();
        if (A.rows() > mostRows)
          return made;
        const auto symbolic = cholesky::analyse(A);
        if (symbolic->factorEntries > mostEntries)
          return made;
        made->order = symbolic->order;
        setRows(*symbolic, *made);
        setUpdates(*made);
        const auto &diagonal = made->diagonal;
        made->pay =
            std::find(diagonal.begin(), diagonal.end(), -1) == diagonal.end();
        return made;
      });
}

template std::shared_ptr<const Columns> columnsOf(const Matrix<float> &);
template std::shared_ptr<const Columns> columnsOf(const Matrix<double> &);

} // namespace tsgu::runtime::lanewise
