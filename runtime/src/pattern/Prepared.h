//===- Prepared.h - What is worked out from values once ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A packed triangle, a preconditioner, a factorisation: prepared from a pattern
// and values, applied many times. It never changes; whoever needs it holds it,
// so that a cache may drop it at any time. What it takes from the pattern alone
// is kept with the pattern (Attachments).
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_PREPARED_H
#define TSGU_SRC_PATTERN_PREPARED_H

#include "pattern/Matrix.h"
#include "pattern/PreparedCache.h"

namespace tsgu::runtime {

struct AnyPrepared {
  virtual ~AnyPrepared() = default;
  virtual int64_t bytes() const = 0;
};

/// Refers to the pattern of the matrix, which outlives it, but not to the
/// values that it was made from.
template <typename T> class Prepared : public AnyPrepared {
public:
  /// out = op(M)^-1 in for M, which is the matrix or stands for it. Any number
  /// of threads may call it; bitwise the same for every executor.
  virtual void apply(Mode mode, Vectors<const T> in, Vectors<T> out,
                     const tsgu_executor &executor) const = 0;
};

/// The type of T in keys, of two bits.
template <typename T> constexpr int64_t typeCode() {
  return (isComplex<T> ? 2 : 0) + (sizeof(Real<T>) == 8 ? 1 : 0);
}

/// The content of the values of A's item, by their bits.
template <typename T>
ContentHash contentOf(const Matrix<T> &A, const tsgu_executor &executor) {
  const Layout &csr = A.pattern->csr();
  const int64_t first = csr.position(A.firstRow());
  const int64_t last = csr.position(A.firstRow() + A.rows());
  return hashOf(A.values + first, (last - first) * int64_t{sizeof(T)},
                executor);
}

/// What was made of values on the pattern before, found by content(); or what
/// make() makes now, a std::shared_ptr<const Made>, if it is not NULL. `key`
/// says what that is. `number`, unless it is 0, stands for the content.
template <typename Made, typename Content, typename Make>
std::shared_ptr<const Made> prepareBy(Content &&content, Pattern &pattern,
                                      const PreparedKey &key, Make &&make,
                                      uint64_t number) {
  PreparedCache &cache = PreparedCache::get();
  PreparedCache::Shared made;
  if (number)
    made = cache.find(pattern, key, number);
  if (!made) {
    const ContentHash found = content();
    made = cache.find(pattern, key, found, number);
    if (!made) {
      made = make();
      if (!made)
        return nullptr;
      cache.insert(pattern, key, found, number, made);
    }
  }
  Keeping::add(pattern, made);
  return std::static_pointer_cast<const Made>(std::move(made));
}

/// The same of the values of A's item; `key` needs neither item nor type.
template <typename Made, typename T, typename Make>
std::shared_ptr<const Made> prepare(PreparedKey key, const Matrix<T> &A,
                                    const tsgu_executor &executor, Make &&make,
                                    uint64_t number = 0) {
  key.item = A.item, key.type = typeCode<T>();
  return prepareBy<Made>([&] { return contentOf(A, executor); }, *A.pattern,
                         key, make, number);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_PREPARED_H
