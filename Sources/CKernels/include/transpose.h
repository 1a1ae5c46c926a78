// Transposes of one vector-width square in registers. A transpose by single elements costs about 1.3 cycles each; these
// 0.4 (measured on Zen 4), which is what packing a convolution's weights amounts to.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "simd.h"

#if defined(__AVX512F__)
/// to[c * toStride + r] = from[r * fromStride + c] for r < rows, c < columns (both at most 16).
TRELLIS_INLINE void trellis_transpose16(const float *from, ptrdiff_t fromStride, float *to, ptrdiff_t toStride, ptrdiff_t rows, ptrdiff_t columns) {
  __m512 r[16], t[16];
  __mmask16 in = (__mmask16)((1u << columns) - 1u), out = (__mmask16)((1u << rows) - 1u);
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) r[i] = i < rows ? _mm512_maskz_loadu_ps(in, from + i * fromStride) : _mm512_setzero_ps();
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  // r[4g + j] now holds, in 128-bit lane l, column 4l + j of rows 4g ... 4g + 3.
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) {
    __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
    __m512 c = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_f32x4(a, c, 0x88);
    t[8 + j] = _mm512_shuffle_f32x4(a, c, 0xdd);
    t[4 + j] = _mm512_shuffle_f32x4(b, d, 0x88);
    t[12 + j] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++)
    if (i < columns) _mm512_mask_storeu_ps(to + i * toStride, out, t[i]);
}
#endif

#if defined(__AVX2__)
/// r[i] becomes column i of the square.
TRELLIS_INLINE void trellis_turn8(__m256 r[8]) {
  __m256 t[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) {
    __m256 low = _mm256_permute2f128_ps(r[j], r[4 + j], 0x20);
    r[4 + j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x31);
    r[j] = low;
  }
}

/// The same for a whole square of 8.
TRELLIS_INLINE void trellis_transpose8(const float *from, ptrdiff_t fromStride, float *to, ptrdiff_t toStride) {
  __m256 r[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(from + i * fromStride);
  trellis_turn8(r);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) _mm256_storeu_ps(to + i * toStride, r[i]);
}

/// The same for at most 8 rows and columns.
TRELLIS_INLINE void trellis_transpose8_part(
    const float *from, ptrdiff_t fromStride, float *to, ptrdiff_t toStride, ptrdiff_t rows, ptrdiff_t columns) {
  __m256 r[8];
  __m256i in = trellis_mask8((int)columns);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) r[i] = i < rows ? _mm256_maskload_ps(from + i * fromStride, in) : _mm256_setzero_ps();
  trellis_turn8(r);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++)
    if (i < columns) trellis_store8_part(to + i * toStride, (trellis_v8)r[i], (int)rows);
}

/// Column i of a whole square to `to[i]`.
TRELLIS_INLINE void trellis_scatter8(const float *from, ptrdiff_t fromStride, float *const *to) {
  __m256 r[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(from + i * fromStride);
  trellis_turn8(r);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) _mm256_storeu_ps(to[i], r[i]);
}
#endif
