//===- Recipe.cpp - The products that factors are made of -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/lanes/Recipe.h"

namespace tsgu::runtime::lanewise {

int64_t Recipe::bytes() const {
  int64_t sum = static_cast<int64_t>(products.capacity() * sizeof(Place));
  for (const auto *list :
       {&rows, &columns, &starts, &middles, &rowOf, &from, &ends})
    sum += static_cast<int64_t>(list->capacity() * sizeof(Index));
  return sum;
}

bool Recipe::list(bool symmetric, int64_t most) {
  const auto n = static_cast<Index>(size());
  if (numbers() > mostPlaces)
    return false;
  struct Entry {
    Index column;
    Place place;
  };
  std::vector<std::vector<Entry>> lower(n); // L by rows, columns ascending.
  std::vector<Index> above(n); // Where the column at hand has U, 0: nowhere.
  const auto add = [&](Index row, Index before) {
    for (const auto &[column, place] : lower[row])
      if (column >= before)
        break;
      else if (above[column])
        products.push_back(place),
            products.push_back(static_cast<Place>(above[column]));
    ends.push_back(static_cast<Index>(products.size() / 2));
  };
  for (Index k = 0; k < n; ++k) {
    const auto setAbove = [&](bool set) {
      if (symmetric)
        for (const auto &[column, place] : lower[k])
          above[column] = set ? place : 0;
      else
        for (Index e = starts[k]; e < middles[k]; ++e)
          above[rowOf[e]] = set ? n + e : 0;
    };
    setAbove(true);
    for (Index e = starts[k]; e < middles[k]; ++e)
      add(rowOf[e], rowOf[e]);
    add(k, k);
    for (Index e = middles[k]; e < starts[k + 1]; ++e)
      add(rowOf[e], k);
    setAbove(false);
    for (Index e = middles[k]; e < starts[k + 1]; ++e)
      lower[rowOf[e]].push_back({k, static_cast<Place>(n + e)});
    if (static_cast<int64_t>(products.size()) > 2 * most)
      return false;
  }
  return true;
}

} // namespace tsgu::runtime::lanewise
