// Vector loads and stores. UnsafeRawPointer.loadUnaligned gets outlined as a call inside large Swift kernels (2 to 20 times
// slower), so they are always_inline C. Clang imports these vector types as SIMD4/8/16<Float>.
// `n` of the partial forms is the number of leading lanes, 0 ... width.
#pragma once
#include <stdint.h>
#include <string.h>

#define TRELLIS_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include <immintrin.h>
typedef float trellis_v16 __attribute__((vector_size(64)));
TRELLIS_INLINE trellis_v16 trellis_load16(const float *p) { return (trellis_v16)_mm512_loadu_ps(p); }
TRELLIS_INLINE void trellis_store16(float *p, trellis_v16 v) { _mm512_storeu_ps(p, (__m512)v); }
TRELLIS_INLINE trellis_v16 trellis_load16_part(const float *p, int n) {
  return (trellis_v16)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
TRELLIS_INLINE void trellis_store16_part(float *p, trellis_v16 v, int n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
}
#endif

#if defined(__AVX2__)
#include <immintrin.h>
typedef float trellis_v8 __attribute__((vector_size(32)));
TRELLIS_INLINE trellis_v8 trellis_load8(const float *p) { return (trellis_v8)_mm256_loadu_ps(p); }
TRELLIS_INLINE void trellis_store8(float *p, trellis_v8 v) { _mm256_storeu_ps(p, (__m256)v); }
TRELLIS_INLINE __m256i trellis_mask8(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TRELLIS_INLINE trellis_v8 trellis_load8_part(const float *p, int n) {
  if (n >= 8) return trellis_load8(p);
  return (trellis_v8)_mm256_maskload_ps(p, trellis_mask8(n));
}
/// In steps: AMD's processors take a store through a mask in 12 cycles (vmaskmovps of Zen 2 to 4). Many loops pass whole vectors too.
TRELLIS_INLINE void trellis_store8_part(float *p, trellis_v8 v, int n) {
  if (n >= 8) {
    trellis_store8(p, v);
    return;
  }
  __m128 rest = _mm256_castps256_ps128((__m256)v);
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps((__m256)v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi((__m64 *)p, rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}
#endif

#include <xmmintrin.h>
typedef float trellis_v4 __attribute__((vector_size(16)));
TRELLIS_INLINE trellis_v4 trellis_load4(const float *p) { return (trellis_v4)_mm_loadu_ps(p); }
TRELLIS_INLINE void trellis_store4(float *p, trellis_v4 v) { _mm_storeu_ps(p, (__m128)v); }
TRELLIS_INLINE trellis_v4 trellis_load4_part(const float *p, int n) {
  trellis_v4 v = {0, 0, 0, 0};
  memcpy(&v, p, (size_t)n * 4);
  return v;
}
TRELLIS_INLINE void trellis_store4_part(float *p, trellis_v4 v, int n) { memcpy(p, &v, (size_t)n * 4); }

/// d[c·dPitch + r] = s[r·sPitch + c], four by four.
TRELLIS_INLINE void trellis_transpose4(float *d, intptr_t dPitch, const float *s, intptr_t sPitch) {
  __m128 a = _mm_loadu_ps(s), b = _mm_loadu_ps(s + sPitch), c = _mm_loadu_ps(s + 2 * sPitch), e = _mm_loadu_ps(s + 3 * sPitch);
  _MM_TRANSPOSE4_PS(a, b, c, e);
  _mm_storeu_ps(d, a);
  _mm_storeu_ps(d + dPitch, b);
  _mm_storeu_ps(d + 2 * dPitch, c);
  _mm_storeu_ps(d + 3 * dPitch, e);
}
