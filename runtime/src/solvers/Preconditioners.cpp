//===- Preconditioners.cpp - Preconditioners, made once for their values --===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Preconditioners.h"
#include "preconditioners/Makers.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tsgu::runtime {

static std::atomic<uint64_t> setups{0};

uint64_t preconditionerSetups() {
  return setups.load(std::memory_order_relaxed);
}

namespace {

/// A preconditioner with the options and the values that it was made from.
template <typename T> struct Kept {
  int64_t blockSize = 0;
  double relaxation = 0;
  Block values;
  std::unique_ptr<Preconditioner<T>> made;
  CountedBytes counted;
};

/// The latest of one kind, for one item of a pattern. Two, so that solves with
/// two matrices may alternate; who uses one keeps it alive.
template <typename T> class Cache : public Attachment {
public:
  using Entry = std::shared_ptr<const Kept<T>>;

  /// The entry that `fits`, which is then the latest; or NULL.
  template <typename F> Entry find(F &&fits) {
    std::lock_guard guard(lock);
    auto found = std::find_if(entries.begin(), entries.end(), fits);
    if (found == entries.end())
      return nullptr;
    std::rotate(entries.begin(), found, found + 1);
    return entries.front();
  }

  void insert(Entry entry) {
    std::lock_guard guard(lock);
    entries.insert(entries.begin(), std::move(entry));
    if (entries.size() > 2)
      entries.pop_back();
  }

  int64_t bytes() const override {
    std::lock_guard guard(lock);
    int64_t sum = 0;
    for (const Entry &entry : entries)
      sum += entry->values.bytes() + entry->made->bytes();
    return sum;
  }

private:
  mutable ForkSafeMutex lock;
  std::vector<Entry> entries;
};

template <typename T>
Made<T> make(int64_t kind, const Matrix<T> &A, const Kept<T> &options,
             const tsgu_executor &executor) {
  switch (kind) {
  case TSGU_JACOBI:
    return makeJacobi(A, executor);
  case TSGU_BLOCK_JACOBI:
    return makeBlockJacobi(A, options.blockSize, executor);
  case TSGU_SSOR:
    return makeSSOR(A, options.relaxation, executor);
  case TSGU_ILU0:
    return makeIncompleteLU(A, executor);
  case TSGU_IC0:
    return makeIncompleteCholesky(A, executor);
  case TSGU_AMG:
    return makeSmoothedAggregation(A, executor);
  default:
    fail(Status::InvalidArgument, "solver: preconditioner ", kind,
         " is none of tsgu_preconditioner");
  }
}

/// The type of T in a key.
template <typename T> constexpr uint64_t typeCode() {
  return (isComplex<T> ? 2 : 0) + (sizeof(Real<T>) == 8 ? 1 : 0);
}

} // namespace

template <typename T>
std::shared_ptr<const Preconditioner<T>>
makePreconditioner(const tsgu_solver &solver, const Matrix<T> &A,
                   const tsgu_executor &executor) {
  const int64_t kind = solver.preconditioner;
  if (kind == TSGU_NO_PRECONDITIONER)
    return nullptr;
  if (A.rows() != A.columns())
    fail(Status::InvalidArgument,
         "a preconditioner needs a square matrix, not "
         "one of ",
         A.rows(), " x ", A.columns());

  auto kept = std::make_shared<Kept<T>>();
  if (kind == TSGU_BLOCK_JACOBI)
    kept->blockSize = solver.block_size ? solver.block_size : 8;
  if (kind == TSGU_SSOR)
    kept->relaxation = solver.relaxation != 0 ? solver.relaxation : 1;

  const Layout &csr = A.pattern->csr();
  const int64_t first = csr.position(A.firstRow());
  const int64_t count = csr.position(A.firstRow() + A.rows()) - first;
  const int64_t bytes = multiply(count, sizeof(T));
  const auto cache = A.pattern->attachments().template get<Cache<T>>(
      attachmentKey(AttachmentKind::Preconditioner,
                    static_cast<uint64_t>(A.item) << 8 | kind << 2 |
                        typeCode<T>()),
      [] { return std::make_shared<Cache<T>>(); });

  auto same = [&](const auto &entry) {
    return entry->blockSize == kept->blockSize &&
           entry->relaxation == kept->relaxation &&
           (bytes == 0 ||
            std::memcmp(entry->values.data(), A.values + first, bytes) == 0);
  };
  auto result = [](std::shared_ptr<const Kept<T>> entry) {
    const Preconditioner<T> *made = entry->made.get();
    return std::shared_ptr<const Preconditioner<T>>(std::move(entry), made);
  };
  if (auto found = cache->find(same))
    return result(std::move(found));

  kept->values = Block(bytes);
  if (bytes)
    std::memcpy(kept->values.data(), A.values + first, bytes);
  const Matrix<T> copy{A.pattern, A.item,
                       kept->values.template as<T>() - first};
  kept->made = make(kind, copy, *kept, executor);
  kept->counted.set(bytes + kept->made->bytes());
  setups.fetch_add(1, std::memory_order_relaxed);
  cache->insert(kept);
  return result(std::move(kept));
}
#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const Preconditioner<T>> makePreconditioner(        \
      const tsgu_solver &, const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
