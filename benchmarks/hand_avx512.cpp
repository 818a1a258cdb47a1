//===- hand_avx512.cpp - SpMM and SDDMM written by hand for AVX-512 -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The yardstick for the generated kernels: what a person would write for one
// CSR matrix with int32 indices and a row-major dense operand of 1 to 16
// vectors per row. Accumulators stay in registers and the output is
// overwritten.
//
//===----------------------------------------------------------------------===//

#include "Team.h"

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512                                                                 \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,bmi2")))
#define AVX512_INLINE AVX512 __attribute__((always_inline)) inline

namespace {

/// A CSR matrix, the dense operand B and the other dense array: the result C of
/// SpMM, or the cotangent G of SDDMM, which then writes `values`.
template <typename T> struct Operands {
  int64_t rows;
  const int32_t *positions, *coordinates;
  T *values;
  const T *B;
  T *C;
};

enum Kind : int32_t { SpMM = 0, SDDMM = 1 };

/// One name for the float and the double instructions.
template <typename T> struct Vec;

template <> struct Vec<float> {
  using Type = __m512;
  static constexpr int lanes = 16;
  AVX512_INLINE static Type zero() { return _mm512_setzero_ps(); }
  AVX512_INLINE static Type splat(float a) { return _mm512_set1_ps(a); }
  AVX512_INLINE static Type load(const float *p) { return _mm512_loadu_ps(p); }
  AVX512_INLINE static void store(float *p, Type a) { _mm512_storeu_ps(p, a); }
  AVX512_INLINE static Type mul(Type a, Type b) { return _mm512_mul_ps(a, b); }
  AVX512_INLINE static Type fma(Type a, Type b, Type c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  AVX512_INLINE static float sum(Type a) { return _mm512_reduce_add_ps(a); }
  /// Stores the sums of four vectors.
  AVX512_INLINE static void storeSums(float *p, const Type *a) {
    Type ab = _mm512_add_ps(_mm512_unpacklo_ps(a[0], a[1]),
                            _mm512_unpackhi_ps(a[0], a[1]));
    Type cd = _mm512_add_ps(_mm512_unpacklo_ps(a[2], a[3]),
                            _mm512_unpackhi_ps(a[2], a[3]));
    __m512d x = _mm512_castps_pd(ab), y = _mm512_castps_pd(cd);
    Type four = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                              _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(four),
                                 _mm512_extractf32x8_ps(four, 1));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(eight),
                                _mm256_extractf128_ps(eight, 1)));
  }
};

template <> struct Vec<double> {
  using Type = __m512d;
  static constexpr int lanes = 8;
  AVX512_INLINE static Type zero() { return _mm512_setzero_pd(); }
  AVX512_INLINE static Type splat(double a) { return _mm512_set1_pd(a); }
  AVX512_INLINE static Type load(const double *p) { return _mm512_loadu_pd(p); }
  AVX512_INLINE static void store(double *p, Type a) { _mm512_storeu_pd(p, a); }
  AVX512_INLINE static Type mul(Type a, Type b) { return _mm512_mul_pd(a, b); }
  AVX512_INLINE static Type fma(Type a, Type b, Type c) {
    return _mm512_fmadd_pd(a, b, c);
  }
  AVX512_INLINE static double sum(Type a) { return _mm512_reduce_add_pd(a); }
  AVX512_INLINE static void storeSums(double *p, const Type *a) {
    Type ab = _mm512_add_pd(_mm512_unpacklo_pd(a[0], a[1]),
                            _mm512_unpackhi_pd(a[0], a[1]));
    Type cd = _mm512_add_pd(_mm512_unpacklo_pd(a[2], a[3]),
                            _mm512_unpackhi_pd(a[2], a[3]));
    Type low = _mm512_shuffle_f64x2(ab, cd, 0x88);  // ab0 ab2 cd0 cd2
    Type high = _mm512_shuffle_f64x2(ab, cd, 0xDD); // ab1 ab3 cd1 cd3
    Type pairs = _mm512_add_pd(low, high);
    __m256d first = _mm512_castpd512_pd256(pairs);
    __m256d second = _mm512_extractf64x4_pd(pairs, 1);
    __m256d x = _mm256_permute2f128_pd(first, second, 0x20);
    __m256d y = _mm256_permute2f128_pd(first, second, 0x31);
    _mm256_storeu_pd(p, _mm256_add_pd(x, y));
  }
};

/// C = A B over rows begin..end.
template <typename T, int N>
AVX512 void spmmRows(Operands<T> o, int64_t begin, int64_t end) {
  using V = Vec<T>;
  constexpr int64_t p = int64_t(N) * V::lanes;
  for (int64_t i = begin; i < end; ++i) {
    typename V::Type sum[N];
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v)
      sum[v] = V::zero();
    for (int64_t k = o.positions[i], stop = o.positions[i + 1]; k < stop; ++k) {
      const T *b = o.B + o.coordinates[k] * p;
      typename V::Type a = V::splat(o.values[k]);
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v)
        sum[v] = V::fma(a, V::load(b + v * V::lanes), sum[v]);
    }
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v)
      V::store(o.C + i * p + v * V::lanes, sum[v]);
  }
}

/// One dot product of a row of G, held in registers, and a row of B.
template <typename T, int N>
AVX512_INLINE typename Vec<T>::Type product(const typename Vec<T>::Type *g,
                                            const T *b) {
  using V = Vec<T>;
  typename V::Type sum = V::mul(g[0], V::load(b));
#pragma GCC unroll 16
  for (int v = 1; v < N; ++v)
    sum = V::fma(g[v], V::load(b + v * V::lanes), sum);
  return sum;
}

/// values[k] = G[i, :] . B[j, :] over rows begin..end, four entries at a time.
template <typename T, int N>
AVX512 void sddmmRows(Operands<T> o, int64_t begin, int64_t end) {
  using V = Vec<T>;
  constexpr int64_t p = int64_t(N) * V::lanes;
  for (int64_t i = begin; i < end; ++i) {
    typename V::Type g[N];
#pragma GCC unroll 16
    for (int v = 0; v < N; ++v)
      g[v] = V::load(o.C + i * p + v * V::lanes);
    int64_t k = o.positions[i], stop = o.positions[i + 1];
    for (; k + 4 <= stop; k += 4) {
      const T *b[4];
      typename V::Type sum[4];
      for (int q = 0; q < 4; ++q)
        b[q] = o.B + o.coordinates[k + q] * p;
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q)
        sum[q] = V::mul(g[0], V::load(b[q]));
#pragma GCC unroll 16
      for (int v = 1; v < N; ++v)
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q)
          sum[q] = V::fma(g[v], V::load(b[q] + v * V::lanes), sum[q]);
      V::storeSums(o.values + k, sum);
    }
    for (; k < stop; ++k)
      o.values[k] = V::sum(product<T, N>(g, o.B + o.coordinates[k] * p));
  }
}

/// C = A B for one dense column, by gathers.
AVX512 void spmvRows(Operands<float> o, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t k = o.positions[i], stop = o.positions[i + 1]; k < stop;
         k += 16) {
      auto mask = static_cast<__mmask16>(_bzhi_u32(
          0xFFFF, static_cast<unsigned>(std::min<int64_t>(stop - k, 16))));
      __m512i j = _mm512_maskz_loadu_epi32(mask, o.coordinates + k);
      __m512 b = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, j, o.B, 4);
      sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, o.values + k), b, sum);
    }
    o.C[i] = _mm512_reduce_add_ps(sum);
  }
}

AVX512 void spmvRows(Operands<double> o, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    __m512d sum = _mm512_setzero_pd();
    for (int64_t k = o.positions[i], stop = o.positions[i + 1]; k < stop;
         k += 8) {
      auto mask = static_cast<__mmask8>(_bzhi_u32(
          0xFF, static_cast<unsigned>(std::min<int64_t>(stop - k, 8))));
      __m256i j = _mm256_maskz_loadu_epi32(mask, o.coordinates + k);
      __m512d b =
          _mm512_mask_i32gather_pd(_mm512_setzero_pd(), mask, j, o.B, 8);
      sum = _mm512_fmadd_pd(_mm512_maskz_loadu_pd(mask, o.values + k), b, sum);
    }
    o.C[i] = _mm512_reduce_add_pd(sum);
  }
}

/// The same without gathers: better for rows of a few entries.
template <typename T>
AVX512 void spmvShortRows(Operands<T> o, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    T sum = 0;
    for (int64_t k = o.positions[i], stop = o.positions[i + 1]; k < stop; ++k)
      sum += o.values[k] * o.B[o.coordinates[k]];
    o.C[i] = sum;
  }
}

/// values[k] = G[i] * B[j]: nothing to reduce.
template <typename T>
AVX512 void sddmmWidthOne(Operands<T> o, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    T g = o.C[i];
    for (int64_t k = o.positions[i], stop = o.positions[i + 1]; k < stop; ++k)
      o.values[k] = g * o.B[o.coordinates[k]];
  }
}

template <typename T> using RowKernel = void (*)(Operands<T>, int64_t, int64_t);

template <typename T, int N> RowKernel<T> kernelFor(Kind kind) {
  switch (kind) {
  case SpMM:
    return spmmRows<T, N>;
  case SDDMM:
    return sddmmRows<T, N>;
  }
  return nullptr;
}

template <typename T>
RowKernel<T> kernelFor(Kind kind, int64_t p, const Operands<T> &o) {
  if (p == 1 && kind == SDDMM)
    return sddmmWidthOne<T>;
  if (p == 1) {
    bool shortRows = o.positions[o.rows] < 8 * o.rows;
    return shortRows ? RowKernel<T>(spmvShortRows<T>) : RowKernel<T>(spmvRows);
  }
  switch (p * static_cast<int64_t>(sizeof(T))) {
  case 64:
    return kernelFor<T, 1>(kind);
  case 128:
    return kernelFor<T, 2>(kind);
  case 256:
    return kernelFor<T, 4>(kind);
  case 512:
    return kernelFor<T, 8>(kind);
  case 1024:
    return kernelFor<T, 16>(kind);
  default:
    return nullptr;
  }
}

/// Each thread takes rows with an equal share of the entries.
template <typename T>
int run(Kind kind, int threads, int64_t p, const Operands<T> &o) {
  RowKernel<T> kernel = kernelFor<T>(kind, p, o);
  if (!kernel)
    return 1;
  bench::runTeam(threads, [&](int member) {
    auto bound = [&](int64_t part) {
      int64_t entries = o.positions[o.rows] * part / threads;
      if (part == threads)
        return o.rows;
      return std::lower_bound(o.positions, o.positions + o.rows, entries) -
             o.positions;
    };
    kernel(o, bound(member), bound(member + 1));
  });
  return 0;
}

} // namespace

extern "C" int bench_hand_supported() {
  return __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}

/// kind 0: C = A B; 1: values = (C B^T)
/// sampled on A. Dense arrays are rows x p, contiguous, p * size 64 to 1024
/// bytes or p = 1. Returns 0, or 1 where there is no kernel for that.
extern "C" int bench_hand(int32_t kind, int32_t f64, int32_t threads,
                          int64_t rows, int64_t p, const int32_t *positions,
                          const int32_t *coordinates, void *values,
                          const void *B, void *C) {
  if (!bench_hand_supported())
    return 1;
  if (f64)
    return run<double>(
        static_cast<Kind>(kind), threads, p,
        {rows, positions, coordinates, static_cast<double *>(values),
         static_cast<const double *>(B), static_cast<double *>(C)});
  return run<float>(static_cast<Kind>(kind), threads, p,
                    {rows, positions, coordinates, static_cast<float *>(values),
                     static_cast<const float *>(B), static_cast<float *>(C)});
}

#else

extern "C" int bench_hand_supported() { return 0; }
extern "C" int bench_hand(int32_t, int32_t, int32_t, int64_t, int64_t,
                          const int32_t *, const int32_t *, void *,
                          const void *, void *) {
  return 1;
}

#endif
