//===- Meetings.cpp - Which entries of two patterns meet ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products by Gustavson's method, row by row; the others by merging rows. Rows
// are independent, so that threads share them and the result is the same.
//
//===----------------------------------------------------------------------===//

#include "pattern/Meetings.h"
#include "base/Callbacks.h"
#include "base/Parallel.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

namespace tsgu::runtime {
namespace {

/// The entries given of a pattern by rows, those of all items counted through.
template <typename I> struct Rows {
  const I *positions, *coordinates;
  const int64_t *numbers; ///< Of the entries; NULL: they are in order.

  int64_t number(int64_t place) const {
    return numbers ? numbers[place] : place;
  }
};

/// Of one type, copied where the pattern has another one or the entries were
/// given in another order: a row then has them by column, or by number.
template <typename I> class RowsOf {
public:
  RowsOf(Pattern &pattern, bool byNumber) {
    const Layout &csr = pattern.csr();
    if (const int64_t *map = pattern.entryMap())
      order(csr, map, pattern.entries(), byNumber);
    else
      rows = {take(csr, csr.positions, csr.rows + 1, 0),
              take(csr, csr.coordinates, csr.stored, 1), nullptr};
  }
  Rows<I> rows;

private:
  const I *take(const Layout &csr, const void *from, int64_t count, int which) {
    if (csr.indexType == indexTypeOf<I>())
      return static_cast<const I *>(from);
    own[which] = blockOf<I>(count);
    for (int64_t k = 0; k < count; ++k)
      own[which].template as<I>()[k] = static_cast<I>(csr.at(from, k));
    return own[which].template as<I>();
  }

  void order(const Layout &csr, const int64_t *map, int64_t entries,
             bool byNumber) {
    Block begins = blockOf<int64_t>(csr.stored + 1);
    own[0] = blockOf<I>(csr.rows + 1);
    own[1] = blockOf<I>(entries);
    own[2] = blockOf<int64_t>(entries);
    auto *begin = begins.as<int64_t>(), *numbers = own[2].as<int64_t>();
    auto *positions = own[0].template as<I>();
    auto *coordinates = own[1].template as<I>();
    std::fill_n(begin, csr.stored + 1, int64_t{0});
    for (int64_t k = 0; k < entries; ++k)
      ++begin[map[k] + 1];
    std::partial_sum(begin, begin + csr.stored + 1, begin);
    for (int64_t row = 0; row <= csr.rows; ++row)
      positions[row] = static_cast<I>(begin[csr.position(row)]);
    for (int64_t k = 0; k < entries; ++k)
      numbers[begin[map[k]]++] = k;
    for (int64_t row = 0; byNumber && row < csr.rows; ++row)
      std::sort(numbers + positions[row], numbers + positions[row + 1]);
    for (int64_t place = 0; place < entries; ++place)
      coordinates[place] =
          static_cast<I>(csr.at(csr.coordinates, map[numbers[place]]));
    rows = {positions, coordinates, numbers};
  }

  Block own[3];
};

/// The rows of a product: row i has the columns of the rows of b that row i of
/// a names.
template <typename I> class ProductRows {
public:
  ProductRows(Rows<I> a, Rows<I> b, const Pattern &left, const Pattern &right)
      : a(a), b(b), rowsPerItem(left.rows()), innerPerItem(right.rows()),
        marks(blockOf<int64_t>(right.columns())),
        places(blockOf<int64_t>(right.columns())) {
    std::fill_n(marks.as<int64_t>(), right.columns(), int64_t{-1});
  }

  /// Entries of the result, and meetings of this row.
  std::pair<int64_t, int64_t> count(int64_t row) {
    int64_t stored = 0, meetings = 0;
    visit(row, [&](int64_t, int64_t, I column) {
      ++meetings;
      stored += std::exchange(marks.as<int64_t>()[column], row) != row;
    });
    return {stored, meetings};
  }

  template <typename R, typename O>
  void write(int64_t row, int64_t first, R *coordinates, O *const *entries) {
    columns.clear();
    auto *mark = marks.as<int64_t>(), *place = places.as<int64_t>();
    visit(row, [&](int64_t, int64_t, I column) {
      if (std::exchange(mark[column], row) != row) {
        columns.push_back(column);
        place[column] = 0;
      }
      ++place[column];
    });
    std::sort(columns.begin(), columns.end());
    int64_t next = 0;
    for (size_t k = 0; k < columns.size(); ++k) {
      coordinates[k] = static_cast<R>(columns[k]);
      const int64_t count = std::exchange(place[columns[k]], next);
      std::fill_n(entries[0] + next, count,
                  static_cast<O>(first + static_cast<int64_t>(k)));
      next += count;
    }
    visit(row, [&](int64_t left, int64_t right, I column) {
      const int64_t to = place[column]++;
      entries[1][to] = static_cast<O>(a.number(left));
      entries[2][to] = static_cast<O>(b.number(right));
    });
  }

private:
  template <typename F> void visit(int64_t row, F &&visitPair) const {
    const int64_t before = row / rowsPerItem * innerPerItem;
    for (int64_t left = a.positions[row]; left < a.positions[row + 1]; ++left) {
      const int64_t inner = before + a.coordinates[left];
      for (int64_t right = b.positions[inner]; right < b.positions[inner + 1];
           ++right)
        visitPair(left, right, b.coordinates[right]);
    }
  }

  const Rows<I> a, b;
  const int64_t rowsPerItem, innerPerItem;
  Block marks, places; ///< By column.
  std::vector<I> columns;
};

/// The rows of what both have, or one of them.
template <typename I> class MergedRows {
public:
  MergedRows(Rows<I> a, Rows<I> b, const Pattern &left, bool either)
      : a(a), b(b), offset(left.entries()), either(either) {}

  /// Entries of the result, and meetings of this row.
  std::pair<int64_t, int64_t> count(int64_t row) const {
    int64_t stored = 0, meetings = 0;
    visit(row, [&](I, Run left, Run right) {
      stored += either || (left.length() && right.length());
      meetings += either ? left.length() + right.length()
                         : left.length() * right.length();
    });
    return {stored, meetings};
  }

  template <typename R, typename O>
  void write(int64_t row, int64_t first, R *coordinates,
             O *const *entries) const {
    int64_t k = 0, next = 0;
    visit(row, [&](I column, Run left, Run right) {
      if (!either && !(left.length() && right.length()))
        return;
      coordinates[k] = static_cast<R>(column);
      const auto of = static_cast<O>(first + k++);
      auto addPairs = [&](Run run, const Rows<I> &rows, int64_t from) {
        for (int64_t place = run.begin; place < run.end; ++place) {
          entries[0][next] = of;
          entries[1][next++] = static_cast<O>(from + rows.number(place));
        }
      };
      if (either) {
        addPairs(left, a, 0);
        addPairs(right, b, offset);
        return;
      }
      for (int64_t i = left.begin; i < left.end; ++i)
        for (int64_t j = right.begin; j < right.end; ++j) {
          entries[0][next] = of;
          entries[1][next] = static_cast<O>(a.number(i));
          entries[2][next++] = static_cast<O>(b.number(j));
        }
    });
  }

private:
  /// The entries at one column.
  struct Run {
    int64_t begin, end;
    int64_t length() const { return end - begin; }
  };

  static Run takeRun(const Rows<I> &rows, int64_t &place, int64_t end,
                     I column) {
    const int64_t begin = place;
    while (place < end && rows.coordinates[place] == column)
      ++place;
    return {begin, place};
  }

  /// In the order of the columns.
  template <typename F> void visit(int64_t row, F &&visitColumn) const {
    int64_t left = a.positions[row], right = b.positions[row];
    const int64_t leftEnd = a.positions[row + 1];
    const int64_t rightEnd = b.positions[row + 1];
    while (left < leftEnd || right < rightEnd) {
      const I column = right == rightEnd ? a.coordinates[left]
                       : left == leftEnd ? b.coordinates[right]
                                         : std::min(a.coordinates[left],
                                                    b.coordinates[right]);
      const Run ofLeft = takeRun(a, left, leftEnd, column);
      visitColumn(column, ofLeft, takeRun(b, right, rightEnd, column));
    }
  }

  const Rows<I> a, b;
  const int64_t offset;
  const bool either;
};

std::string shapeOf(const Pattern &pattern) {
  std::string text;
  for (int32_t d = 0; d < pattern.rank(); ++d)
    text += (d ? " x " : "") + std::to_string(pattern.extent(d));
  return text;
}

void checkFit(tsgu_meeting kind, Pattern &a, Pattern &b) {
  if (kind < TSGU_PRODUCT || kind > TSGU_EITHER)
    fail(Status::InvalidArgument, "no kind of meetings has the number ",
         static_cast<int>(kind));
  a.requireHost();
  b.requireHost();
  bool fits = a.rank() == b.rank() && a.items() == b.items();
  if (kind == TSGU_PRODUCT)
    fits = fits && a.columns() == b.rows();
  else
    fits = fits && a.rows() == b.rows() && a.columns() == b.columns();
  if (!fits)
    fail(Status::InvalidArgument, "patterns of shape ", shapeOf(a), " and ",
         shapeOf(b),
         kind == TSGU_PRODUCT
             ? " have no product: the second must have as many rows as the "
               "first has columns, and as many items"
             : " must have one shape");
}

} // namespace

/// function(a, b) with the rows of both, of one type.
template <typename F> void Meetings::withOperands(F &&function) const {
  const bool narrow = a.csr().indexType == ElementType::I32 &&
                      b.csr().indexType == ElementType::I32;
  withIndexType(narrow ? ElementType::I32 : ElementType::I64,
                [&]<typename I>(I) {
                  const bool byNumber = kind == TSGU_PRODUCT;
                  const RowsOf<I> left(a, byNumber), right(b, byNumber);
                  function(left.rows, right.rows);
                });
}

/// function(rows, first, end), with `rows` as this kind has them, for ranges of
/// rows with about the same work.
template <typename F>
void Meetings::forRanges(const tsgu_executor &executor, F &&function) const {
  constexpr int64_t fewPairs = 1 << 17;
  const auto *work = workBefore.as<int64_t>();
  const int64_t all = work[rowCount] + rowCount;
  const int64_t parts = std::clamp<int64_t>(
      all / fewPairs, 1, std::max<int64_t>(4 * int64_t{executor.threads}, 1));
  auto firstOf = [&](int64_t part) {
    const int64_t target = mulDiv(all, part, parts);
    int64_t low = 0, high = rowCount;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (work[middle] + middle < target)
        low = middle + 1;
      else
        high = middle;
    }
    return part == parts ? rowCount : low;
  };
  withOperands([&]<typename I>(Rows<I> left, Rows<I> right) {
    parallelFor(executor, parts, [&](int64_t first, int64_t last) {
      auto run = [&](auto rows) {
        InterruptCheck check;
        const int64_t end = firstOf(last);
        for (int64_t row = firstOf(first); row < end; ++row) {
          function(rows, row);
          check.after(work[row + 1] - work[row] + 1);
        }
      };
      if (kind == TSGU_PRODUCT)
        run(ProductRows<I>(left, right, a, b));
      else
        run(MergedRows<I>(left, right, a, kind == TSGU_EITHER));
    });
  });
}

void Meetings::countWork() {
  auto *before = workBefore.as<int64_t>();
  before[0] = 0;
  InterruptCheck check;
  withOperands([&]<typename I>(Rows<I> left, Rows<I> right) {
    for (int64_t row = 0; row < rowCount; ++row) {
      const int64_t begin = left.positions[row], end = left.positions[row + 1];
      int64_t pairs = 0;
      if (kind == TSGU_PRODUCT) {
        const int64_t inner = row / a.rows() * b.rows();
        for (int64_t k = begin; k < end; ++k) {
          const I *of = right.positions + inner + left.coordinates[k];
          pairs = add(pairs, of[1] - of[0]);
        }
      } else {
        pairs = end - begin + right.positions[row + 1] - right.positions[row];
      }
      before[row + 1] = add(before[row], pairs);
      check.after(end - begin + 1);
    }
  });
}

void Meetings::countStored(const tsgu_executor &executor) {
  auto *stored = storedBefore.as<int64_t>();
  auto *meetings = meetingsBefore.as<int64_t>();
  stored[0] = meetings[0] = 0;
  forRanges(executor, [&](auto &rows, int64_t row) {
    std::tie(stored[row + 1], meetings[row + 1]) = rows.count(row);
  });
  for (int64_t row = 0; row < rowCount; ++row) {
    stored[row + 1] = add(stored[row], stored[row + 1]);
    meetings[row + 1] = add(meetings[row], meetings[row + 1]);
  }
}

Meetings::Meetings(tsgu_meeting kind, Pattern &a, Pattern &b,
                   const tsgu_executor &executor)
    : kind(kind), a(a), b(b) {
  checkFit(kind, a, b);
  rowCount = multiply(a.items(), a.rows());
  columnCount = b.columns();
  workBefore = blockOf<int64_t>(add(rowCount, 1));
  storedBefore = blockOf<int64_t>(add(rowCount, 1));
  meetingsBefore = blockOf<int64_t>(add(rowCount, 1));
  countWork();
  countStored(executor);
}

ElementType Meetings::indexType() const {
  const int64_t most = std::max({rowCount, columnCount, stored(), count(),
                                 add(a.entries(), b.entries())});
  return fitsInt32(most) ? ElementType::I32 : ElementType::I64;
}

void Meetings::write(ElementType resultType, void *positions, void *coordinates,
                     ElementType type, void *const *entries,
                     const tsgu_executor &executor) const {
  if (type == ElementType::I32 && indexType() != type)
    fail(Status::InvalidArgument, "int32 cannot number ", count(),
         " meetings of the entries of two patterns: write int64");
  if (resultType == ElementType::I32 &&
      !fitsInt32(std::max({rowCount, columnCount, stored()})))
    fail(Status::InvalidArgument, "int32 cannot hold the indices of a result ",
         "with ", stored(), " entries: write int64");
  const auto *before = storedBefore.as<int64_t>();
  const auto *firsts = meetingsBefore.as<int64_t>();
  withIndexType(resultType, [&]<typename R>(R) {
    for (int64_t row = 0; row <= rowCount; ++row)
      static_cast<R *>(positions)[row] = static_cast<R>(before[row]);
    withIndexType(type, [&]<typename O>(O) {
      forRanges(executor, [&](auto &rows, int64_t row) {
        O *own[3] = {};
        for (int32_t k = 0; k < width(); ++k)
          own[k] = static_cast<O *>(entries[k]) + firsts[row];
        rows.write(row, before[row],
                   static_cast<R *>(coordinates) + before[row], own);
      });
    });
  });
}

} // namespace tsgu::runtime
