//===- roofs.cpp - What this machine can do at most -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rates are the best of several repeats, in 1e9 bytes or operations per second,
// with every thread on memory of its own that it has touched first.
//
//===----------------------------------------------------------------------===//

#include "Team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <thread>
#include <utility>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr int64_t hugePage = 2 << 20;
typedef float Floats __attribute__((vector_size(64), aligned(4)));
typedef double Doubles __attribute__((vector_size(64), aligned(8)));

/// Memory on huge pages where the system gives them.
class Memory {
public:
  explicit Memory(int64_t bytes)
      : size((bytes + hugePage - 1) / hugePage * hugePage),
        data(std::aligned_alloc(hugePage, size)) {
    if (!data)
      std::abort();
    madvise(data, size, MADV_HUGEPAGE);
  }
  ~Memory() { std::free(data); }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
  float *floats() const { return static_cast<float *>(data); }

private:
  int64_t size;
  void *data;
};

/// Keeps a value alive.
template <typename T> void keep(T &value) { asm volatile("" : "+m"(value)); }

double seconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// The shortest time, over `repeats`, in which all threads finish `task`, which
/// they start together.
template <typename Task>
double bestTime(int threads, int repeats, const Task &task) {
  double best = 1e30;
  for (int r = 0; r < repeats; ++r) {
    std::atomic<int> ready{0};
    std::vector<double> begins(threads), ends(threads);
    bench::runTeam(threads, [&](int member) {
      ++ready;
      while (ready.load() < threads)
        ;
      begins[member] = seconds();
      task(member);
      ends[member] = seconds();
    });
    best = std::min(best, *std::max_element(ends.begin(), ends.end()) -
                              *std::min_element(begins.begin(), begins.end()));
  }
  return best;
}

float readAll(const float *data, int64_t count) {
  Floats sum[8] = {};
  for (int64_t i = 0; i + 128 <= count; i += 128)
#pragma GCC unroll 8
    for (int v = 0; v < 8; ++v)
      sum[v] += *reinterpret_cast<const Floats *>(data + i + 16 * v);
  for (int v = 1; v < 8; ++v)
    sum[0] += sum[v];
  return sum[0][0];
}

/// a = b + s c. Non-temporal stores spare reading `a` first.
void triad(float *a, const float *b, const float *c, int64_t count,
           bool nonTemporal) {
  Floats s = Floats{} + 3.0F;
  for (int64_t i = 0; i + 16 <= count; i += 16) {
    Floats x = *reinterpret_cast<const Floats *>(b + i) +
               s * *reinterpret_cast<const Floats *>(c + i);
#if defined(__AVX512F__)
    if (nonTemporal) {
      _mm512_stream_ps(a + i, (__m512)x);
      continue;
    }
#endif
    *reinterpret_cast<Floats *>(a + i) = x;
  }
}

template <typename Vector> void multiplyAdd(int64_t iterations) {
  Vector sum[16] = {}, a = Vector{} + 1, b = Vector{} + 2;
  keep(a), keep(b);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 16
    for (int v = 0; v < 16; ++v)
      sum[v] += a * b;
  for (auto &vector : sum)
    keep(vector);
}

/// Sums the rows of Lines 64-byte lines that `index` names, several at once so
/// that no chain of additions is waited for.
template <int Lines, bool Prefetch>
float gatherRows(const float *table, const int32_t *index, int64_t count) {
  constexpr int64_t together = Lines < 8 ? 8 / Lines : 1, ahead = 16;
  constexpr int64_t width = Lines * 16;
  Floats sum[Lines * together] = {};
  for (int64_t k = 0; k + together <= count; k += together)
#pragma GCC unroll 8
    for (int64_t q = 0; q < together; ++q) {
      if (Prefetch) {
        int64_t next = std::min(k + q + ahead, count - 1);
        const float *line = table + index[next] * width;
#pragma GCC unroll 16
        for (int v = 0; v < Lines; ++v)
          __builtin_prefetch(line + 16 * v);
      }
      const float *row = table + index[k + q] * width;
#pragma GCC unroll 16
      for (int v = 0; v < Lines; ++v)
        sum[q * Lines + v] += *reinterpret_cast<const Floats *>(row + 16 * v);
    }
  for (int64_t v = 1; v < Lines * together; ++v)
    sum[0] += sum[v];
  return sum[0][0];
}

template <typename T>
float gatherElements(const float *table, const int32_t *index, int64_t count) {
  const T *elements = reinterpret_cast<const T *>(table);
  T sum[8] = {};
  for (int64_t k = 0; k + 8 <= count; k += 8)
    for (int v = 0; v < 8; ++v)
      sum[v] += elements[index[k + v]];
  return static_cast<float>(sum[0] + sum[1] + sum[2] + sum[3] + sum[4] +
                            sum[5] + sum[6] + sum[7]);
}

using Gather = float (*)(const float *, const int32_t *, int64_t);

Gather gatherOf(int64_t rowBytes, bool prefetch) {
  switch (rowBytes) {
  case 4:
    return gatherElements<float>;
  case 8:
    return gatherElements<double>;
  case 64:
    return prefetch ? gatherRows<1, true> : gatherRows<1, false>;
  case 128:
    return prefetch ? gatherRows<2, true> : gatherRows<2, false>;
  case 256:
    return prefetch ? gatherRows<4, true> : gatherRows<4, false>;
  case 512:
    return prefetch ? gatherRows<8, true> : gatherRows<8, false>;
  case 1024:
    return prefetch ? gatherRows<16, true> : gatherRows<16, false>;
  default:
    return nullptr;
  }
}

} // namespace

/// Reading `bytes`, of which each thread reads its part again and again.
extern "C" double bench_read(int64_t bytes, int32_t threads) {
  Memory memory(bytes);
  int64_t count = bytes / 4 / threads / 128 * 128;
  int64_t passes = std::max<int64_t>(1, (int64_t(1) << 28) / bytes);
  auto part = [&](int member) { return memory.floats() + member * count; };
  bench::runTeam(threads,
                 [&](int member) { std::memset(part(member), 0, count * 4); });
  double time = bestTime(threads, 5, [&](int member) {
    for (int64_t pass = 0; pass < passes; ++pass) {
      float sum = readAll(part(member), count);
      keep(sum);
    }
  });
  return 4e-9 * double(count) * threads * double(passes) / time;
}

/// Bytes named by the program (three streams) per second, a = b + s c.
extern "C" double bench_triad(int64_t bytes, int32_t threads,
                              int32_t nonTemporal) {
  Memory memory(bytes);
  int64_t count = bytes / 12 / threads / 16 * 16;
  auto part = [&](int member, int array) {
    return memory.floats() + (member * 3 + array) * count;
  };
  bench::runTeam(threads, [&](int member) {
    std::memset(part(member, 0), 0, 12 * count);
  });
  double time = bestTime(threads, 5, [&](int member) {
    triad(part(member, 0), part(member, 1), part(member, 2), count,
          nonTemporal != 0);
  });
  return 12e-9 * double(count) * threads / time;
}

/// Fused multiply-adds count as two operations.
extern "C" double bench_fma(int32_t f64, int32_t threads) {
  constexpr int64_t iterations = 2000000;
  double time = bestTime(threads, 7, [&](int) {
    f64 ? multiplyAdd<Doubles>(iterations) : multiplyAdd<Floats>(iterations);
  });
  return 2e-9 * (f64 ? 8 : 16) * 16 * double(iterations) * threads / time;
}

/// One pass over the rows of `table` that `index` names, in that order, each
/// thread its part. Returns 0, or 1 for a row size other than 4, 8, 64, 128,
/// ... 1024 bytes.
extern "C" int32_t bench_gather(const float *table, const int32_t *index,
                                int64_t count, int64_t rowBytes,
                                int32_t threads, int32_t prefetch) {
  Gather gather = gatherOf(rowBytes, prefetch != 0);
  if (!gather)
    return 1;
  bench::runTeam(threads, [&](int member) {
    int64_t begin = count * member / threads;
    int64_t end = count * (member + 1) / threads;
    float sum = gather(table, index + begin, end - begin);
    keep(sum);
  });
  return 0;
}
