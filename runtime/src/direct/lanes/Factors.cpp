//===- Factors.cpp - The factors of a batch of small matrices -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/lanes/Factors.h"
#include "direct/Factorization.h"
#include "pattern/Rows.h"

namespace tsgu::runtime::lanewise {

/// Of the factors that are kept together.
static constexpr int64_t bytesOfBlock = int64_t{32} << 20;

namespace {
struct Sameness : Attachment {
  bool same;
  int64_t bytes() const override { return sizeof *this; }
};
} // namespace

/// Whether all items of a pattern have the same coordinates, asked once.
static bool areSame(Pattern &pattern) {
  if (pattern.items() == 1)
    return true;
  const auto compare = [&] {
    auto made = std::make_shared<Sameness>();
    const Matrix<float> first{&pattern, 0, nullptr};
    made->same = withRows(first, [&](auto *positions, auto *coordinates) {
      const int64_t n = pattern.rows(), stored = positions[n];
      if (stored * pattern.items() != pattern.stored())
        return false;
      for (int64_t item = 1; item < pattern.items(); ++item) {
        for (int64_t i = 1; i <= n; ++i)
          if (positions[item * n + i] - item * stored != positions[i])
            return false;
        if (!std::equal(coordinates, coordinates + stored,
                        coordinates + item * stored))
          return false;
      }
      return true;
    });
    return made;
  };
  return pattern.attachments()
      .get<Sameness>(attachmentKey(AttachmentKind::Lanes, 0), compare)
      ->same;
}

template <typename T> static LaneMethod<T> methodOf(int64_t method) {
  return method == TSGU_CHOLESKY ? byCholesky<T>()
         : method == TSGU_LU     ? byLU<T>()
                                 : LaneMethod<T>{};
}

template <typename T>
Factored<T> blockFrom(int64_t first, int64_t method, const Batch<T> &batch,
                      const tsgu_executor &executor) {
  const LaneMethod<T> by = methodOf<T>(method);
  const int64_t numbers =
      by.numbers && batch.count >= width && areSame(*batch.pattern)
          ? by.numbers(batch.item(0))
          : 0;
  if (numbers == 0)
    return {};
  const int64_t groups = std::max<int64_t>(
      1, bytesOfBlock / (numbers * static_cast<int64_t>(sizeof(Vector<T>))));
  const Batch<T> items{batch.pattern, batch.values + first * batch.stored(),
                       std::min(groups * width, batch.count - first)};
  PreparedKey key;
  key.kind = method, key.options = {items.count, width};
  key.item = first, key.type = typeCode<T>();
  const KnownValues known = KnownValues::of(batch.values);
  const auto content = [&] {
    return hashOf(items.values,
                  items.count * items.stored() * int64_t{sizeof(T)}, executor);
  };
  const auto make = [&] {
    std::shared_ptr<const Factors<T>> made = by.make(items, executor);
    if (made)
      countFactorizations(made->held());
    return made;
  };
  return {first, items,
          prepareBy<Factors<T>>(content, *batch.pattern, key, make,
                                known.sure ? known.number : 0)};
}

template Factored<float> blockFrom(int64_t, int64_t, const Batch<float> &,
                                   const tsgu_executor &);
template Factored<double> blockFrom(int64_t, int64_t, const Batch<double> &,
                                    const tsgu_executor &);

} // namespace tsgu::runtime::lanewise
