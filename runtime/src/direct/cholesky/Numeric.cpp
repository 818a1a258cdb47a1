//===- Numeric.cpp - The factor of a matrix -------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Multifrontal (Duff, Reid 1983): each front is assembled from entries of A and
// from its children's rests, and eliminated while it is in the cache. A parent
// and its children are at different ends of one stack.
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Numeric.h"
#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/cholesky/Stack.h"

#include <cstring>
#include <numeric>

namespace tsgu::runtime::cholesky {

template <typename T>
Factor<T>::Factor(std::shared_ptr<const Symbolic> of, bool isIndefinite)
    : symbolic(std::move(of)) {
  const Index count = symbolic->supernodes();
  starts.reserve(count + 1), starts.push_back(0);
  for (Index s = 0; s < count; ++s) {
    const int64_t rows = padded<T>(symbolic->height(s));
    starts.push_back(
        add(starts.back(),
            multiply(multiply(symbolic->width(s), partsOf<T>), rows)));
  }
  values = blockOf<Real<T>>(starts.back());
  const auto columns = static_cast<size_t>(symbolic->columns());
  inverse.resize(columns);
  if (!isIndefinite)
    return;
  sign.resize(columns), source.resize(columns);
  cosine.resize(columns), sine.resize(columns);
  isTurned.resize(count), left.resize(count);
}

template <typename T> int64_t Factor<T>::bytes() const {
  return values.bytes() +
         static_cast<int64_t>(
             (inverse.capacity() + sign.capacity() + cosine.capacity()) *
                 sizeof(Real<T>) +
             sine.capacity() * sizeof(T) +
             (source.capacity() + left.capacity()) * sizeof(Index) +
             isTurned.capacity() + starts.capacity() * sizeof(int64_t));
}

namespace {

template <typename T> class Numeric {
public:
  Numeric(Factor<T> &factor, const T *values, const std::vector<Real<T>> &scale)
      : factor(factor), symbolic(*factor.symbolic), values(values),
        scale(symbolic.columns()), rests(symbolic.supernodes()) {
    for (Index k = 0; k < symbolic.columns(); ++k)
      this->scale[k] = scale[symbolic.order[k]];
  }

  Stop run(const tsgu_executor &executor) {
    const Index top = symbolic.taskStarts.back();
    int64_t waiting = 0;
    for (Index s = 0; s < top; ++s)
      if (symbolic.parent[s] >= top)
        waiting += sizeOf(s);
    const Scratch forTop(multiply(waiting, sizeof(Real<T>)));
    auto *to = reinterpret_cast<Real<T> *>(forTop.data());
    for (Index s = 0; s < top; ++s)
      if (symbolic.parent[s] >= top)
        rests[s] = to, to += sizeOf(s);
    std::vector<Stop> stops(symbolic.tasks());
    parallelFor(executor, symbolic.tasks(), [&](int64_t task, int64_t end) {
      // New memory has to be cleared, which takes as long as using it.
      Room room;
      for (int64_t t = task; t < end; ++t)
        room.grow(roomFor(symbolic.taskStarts[t], symbolic.taskStarts[t + 1]));
      const Scratch memory(room.bytes());
      for (; task < end; ++task)
        stops[task] = eliminateAll(symbolic.taskStarts[task],
                                   symbolic.taskStarts[task + 1], room, memory,
                                   {1, nullptr});
    });
    for (const Stop &stop : stops)
      if (stop.column >= 0)
        return stop;
    const Room room = roomFor(top, symbolic.supernodes());
    return eliminateAll(top, symbolic.supernodes(), room, Scratch(room.bytes()),
                        executor);
  }

private:
  Front<T> frontOf(Index s) const {
    Front<T> front = factor.front(s);
    front.rest = rests[s];
    return front;
  }
  int64_t sizeOf(Index s) const { return factor.front(s).restSize(); }
  bool staysHere(Index s, Index end) const { return symbolic.parent[s] < end; }

  /// Numbers for a packed front, and for rests that wait.
  struct Room {
    int64_t packed = 0, rests = 0;

    void grow(const Room &other) {
      packed = std::max(packed, other.packed);
      rests = std::max(rests, other.rests);
    }
    int64_t bytes() const {
      return multiply(add(packed, rests), sizeof(Real<T>));
    }
  };

  Room roomFor(Index begin, Index end) const {
    Room room;
    int64_t held = 0;
    for (Index s = begin; s < end; ++s) {
      room.packed = std::max(
          room.packed, packedSize<T>(symbolic.width(s), symbolic.height(s)) *
                           (factor.isIndefinite() ? packsOfIndefinite : 1));
      if (staysHere(s, end))
        room.rests = std::max(room.rests, held += sizeOf(s));
      for (const Index c : symbolic.childrenOf(s))
        if (c >= begin)
          held -= sizeOf(c);
    }
    return room;
  }

  /// Supernodes [begin, end), each of whose children are before `begin` and
  /// done, or among them.
  Stop eliminateAll(Index begin, Index end, const Room &room,
                    const Scratch &memory, const tsgu_executor &executor) {
    auto *const pack = reinterpret_cast<Real<T> *>(memory.data());
    Stack<T> stack(pack + room.packed, room.rests);
    InterruptCheck check;
    std::vector<Run> runs;
    for (Index s = begin; s < end; ++s) {
      if (staysHere(s, end))
        rests[s] = stack.push(symbolic.atEnd[s], sizeOf(s));
      const Front<T> front = frontOf(s);
      assemble(s, front, runs);
      for (const Index c : symbolic.childrenOf(s))
        if (c >= begin)
          stack.pop(symbolic.atEnd[c], sizeOf(c));
      const bool small = front.width * front.height * front.height < 1 << 20;
      Stop stop = eliminateFront(s, front, pack,
                                 small ? tsgu_executor{1, nullptr} : executor);
      if (stop.column >= 0) {
        stop.column += symbolic.first[s];
        return stop;
      }
      check.after(front.width * front.height);
    }
    return {};
  }

  Stop eliminateFront(Index s, const Front<T> &front, Real<T> *pack,
                      const tsgu_executor &executor) {
    const bool fresh = symbolic.childrenOf(s).empty();
    if (!factor.isIndefinite())
      return eliminate(front, fresh, pack, executor);
    const Index first = symbolic.first[s];
    const Basis<T> basis{factor.source.data() + first,
                         factor.cosine.data() + first,
                         factor.sine.data() + first};
    std::iota(basis.source, basis.source + front.width, 0);
    std::fill_n(basis.cosine, front.width, Real<T>(1));
    std::fill_n(basis.sine, front.width, T(0));
    factor.left[s] = static_cast<Index>(
        eliminateIndefinite(front, basis, fresh, pack, executor));
    for (int64_t k = 0; k < front.width; ++k)
      factor.isTurned[s] |= basis.source[k] != k || basis.sine[k] != T(0);
    return {};
  }

  /// The lower triangle, and what belongs to its tiles.
  static void clearRest(const Front<T> &front) {
    const int64_t rows = front.restRows();
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t p = 0; p < partsOf<T>; ++p) {
        const int64_t first = j / padding<T> * padding<T>;
        std::memset(front.rest + j * front.restStep() + p * rows + first, 0,
                    (rows - first) * sizeof(Real<T>));
      }
  }

  void assemble(Index s, const Front<T> &front, std::vector<Run> &runs) {
    std::memset(front.panel, 0,
                front.width * front.panelStep() * sizeof(Real<T>));
    const auto children = symbolic.childrenOf(s);
    if (!children.empty())
      clearRest(front);
    const Index first = symbolic.first[s];
    const Index *const rows = symbolic.rowsOf(s).data() - front.width;
    for (Index k = 0; k < front.width; ++k) {
      Real<T> *const column = front.column(k);
      const Real<T> here = scale[first + k];
      for (int64_t e = symbolic.entryStarts[first + k];
           e < symbolic.entryStarts[first + k + 1]; ++e) {
        const int64_t entry = symbolic.entries[e].entry;
        if (entry < 0) // Then it is 0 where it is stored.
          continue;
        const Index row = symbolic.entryRows[e];
        const Real<T> by =
            here * scale[row < front.width ? first + row : rows[row]];
        const T value = conjugate(values[entry]) * by;
        column[row] = std::real(value);
        if constexpr (isComplex<T>)
          column[front.rows() + row] = std::imag(value);
      }
    }
    for (const Index c : children)
      addChild(front, frontOf(c), symbolic.relativeOf(c), runs);
  }

  Factor<T> &factor;
  const Symbolic &symbolic;
  const T *values;
  std::vector<Real<T>> scale; ///< Of the columns of L.
  std::vector<Real<T> *> rests;
};

} // namespace

template <typename T>
Stop factorise(Factor<T> &factor, const T *values,
               const std::vector<Real<T>> &scale,
               const tsgu_executor &executor) {
  return Numeric<T>(factor, values, scale).run(executor);
}

#define INSTANTIATE(T)                                                         \
  template struct Factor<T>;                                                   \
  template Stop factorise(Factor<T> &, const T *,                              \
                          const std::vector<Real<T>> &,                        \
                          const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
