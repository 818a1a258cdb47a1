//===- Packing.cpp - Values that stay are packed in the end ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A caller who numbers his values need not prepare a triangle: those that have
// served for a while are packed. That is late enough to be made up for by what
// came before if they change right after, whatever comes after that.
//
//===----------------------------------------------------------------------===//

#include "triangular/PreparedTriangle.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

/// Solves before values are packed: levels and a sweep take as long as some
/// five of them, packing as one to three, most of it for fresh memory.
constexpr int64_t beforeSweep = 47, beforePacking = 32;
constexpr int64_t mostPatience = 64;

/// How often values of one number were solved with, N and T apart.
struct Use {
  struct Direction {
    std::atomic<int64_t> turns{0};
    std::atomic<bool> packed{false};
    Choice choice;
  };
  explicit Use(uint64_t number) : number(number) {}

  const uint64_t number;
  std::atomic<bool> trusted{true}; ///< That the number is right.
  Direction directions[2];
};

/// Of one triangle and type.
class Uses : public Attachment {
public:
  std::shared_ptr<Use> of(uint64_t number) {
    std::lock_guard guard(lock);
    auto found =
        std::find_if(latest.begin(), latest.end(), [&](const auto &use) {
          return use && use->number == number;
        });
    if (found == latest.end()) {
      found = latest.end() - 1;
      *found = std::make_shared<Use>(number);
    }
    std::rotate(latest.begin(), found, found + 1);
    return latest.front();
  }

  /// Solves before values are packed.
  int64_t wait(const Analysis &analysis, bool transposed) const {
    return patience[transposed].load(std::memory_order_relaxed) *
           (analysis.hasSweep(transposed) ? beforePacking : beforeSweep);
  }
  void serve(bool transposed) {
    served[transposed].fetch_add(1, std::memory_order_relaxed);
  }
  /// What was packed last may have been so in vain.
  void pack(bool transposed) {
    const int64_t before = patience[transposed].load(std::memory_order_relaxed);
    const bool vain = served[transposed].exchange(0) < beforePacking;
    patience[transposed].store(vain ? std::min(2 * before, mostPatience) : 1,
                               std::memory_order_relaxed);
  }

  int64_t bytes() const override {
    return static_cast<int64_t>(latest.size() * sizeof(Use));
  }

private:
  ForkSafeMutex lock;
  std::array<std::shared_ptr<Use>, 4> latest;
  std::atomic<int64_t> patience[2]{1, 1};
  std::atomic<int64_t> served[2]{beforePacking, beforePacking};
};

template <typename T>
std::shared_ptr<Uses> usesOf(const Matrix<T> &A, Triangle triangle) {
  const uint64_t rest = static_cast<uint64_t>(A.item) << 4 |
                        static_cast<uint64_t>(typeCode<T>()) << 2 |
                        uint64_t(triangle.upper) << 1 | uint64_t(triangle.unit);
  return A.pattern->attachments().template get<Uses>(
      attachmentKey(AttachmentKind::Uses, rest),
      [] { return std::make_shared<Uses>(); });
}

/// The packed values; NULL: they are others, or have gone.
template <typename T>
std::shared_ptr<const PreparedTriangle<T>>
packed(const TriangleSolve<T> &solve, Uses &uses, Use &use, bool sure) {
  const Matrix<T> &A = solve.A;
  const bool transposed = solve.mode != Mode::N;
  PreparedKey key;
  key.kind = TSGU_TRIANGULAR;
  key.options = {solve.triangle.upper, solve.triangle.unit};
  const bool first = !use.directions[transposed].packed.exchange(true);
  const auto make = [&] {
    return first ? std::make_shared<PreparedTriangle<T>>(A, solve.triangle)
                 : nullptr;
  };
  // What is packed now is found by its content, whatever the number says.
  const uint64_t number = sure && !first ? use.number : 0;
  const auto found =
      prepare<PreparedTriangle<T>>(key, A, solve.executor, make, number);
  if (!found)
    return nullptr;
  if (first)
    uses.pack(transposed);
  found->pack(transposed, A.values, solve.executor);
  uses.serve(transposed);
  if (!sure || found->resembles(transposed, A.values))
    return found;
  use.trusted.store(false, std::memory_order_relaxed);
  return nullptr;
}

} // namespace

template <typename T>
void solveTriangle(const Matrix<T> &A, Triangle triangle, Mode mode,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor) {
  const auto oneShot = [&] {
    triangularSolve(A, triangle, mode, b, x, executor);
  };
  const KnownValues known = KnownValues::of(A.values);
  if (known.number == 0 || b.count >= tileWidth || A.rows() != A.columns())
    return oneShot();
  const bool transposed = mode != Mode::N;
  const std::shared_ptr<Uses> uses = usesOf(A, triangle);
  const std::shared_ptr<Use> use = uses->of(known.number);
  const std::shared_ptr<Analysis> analysis = analysed(A, triangle);
  Use::Direction &direction = use->directions[transposed];
  if (direction.turns.fetch_add(1) < uses->wait(*analysis, transposed) ||
      !use->trusted.load(std::memory_order_relaxed) || analysis->narrow())
    return oneShot();

  // All ways give the same bits. The first time, it packs.
  enum Way : int32_t { Threads, OneThread, OneShot };
  const bool tries = direction.packed.load(std::memory_order_relaxed);
  const int32_t way =
      tries ? direction.choice.next(3, executor.threads, x) : int32_t{Threads};
  const Clock::time_point begin = Clock::now();
  if (way == OneShot) {
    uses->serve(transposed);
    oneShot();
  } else {
    tsgu_executor chosen = executor;
    if (way == OneThread)
      chosen.threads = 1;
    const TriangleSolve<T> solve{A, triangle, mode, b, x, chosen};
    const auto prepared = packed(solve, *uses, *use, known.sure);
    if (!prepared) { // Waits for as long again.
      direction.packed.store(false), direction.turns.store(0);
      return oneShot();
    }
    prepared->sweep(solve);
  }
  if (tries)
    direction.choice.took(way, Clock::now() - begin);
}

#define TSGU_INSTANTIATE(T)                                                    \
  template void solveTriangle(const Matrix<T> &, Triangle, Mode,               \
                              Vectors<const T>, Vectors<T>,                    \
                              const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
