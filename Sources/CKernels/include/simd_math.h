// Vector operations that Swift's SIMD types offer only lane by lane (rounding, square root, conversion) or through generic
// functions of the standard library, which must not be specialised in a kernel module (maximum, permutations).
// max and min are the instruction's: the second operand where either is NaN.
#pragma once
#include "simd.h"
#include <math.h>
#include <stdbool.h>

#if defined(__AVX512F__)
typedef int32_t trellis_i16 __attribute__((vector_size(64)));
TRELLIS_INLINE trellis_v16 trellis_max16(trellis_v16 a, trellis_v16 b) { return (trellis_v16)_mm512_max_ps((__m512)a, (__m512)b); }
TRELLIS_INLINE trellis_v16 trellis_min16(trellis_v16 a, trellis_v16 b) { return (trellis_v16)_mm512_min_ps((__m512)a, (__m512)b); }
TRELLIS_INLINE trellis_v16 trellis_sqrt16(trellis_v16 a) { return (trellis_v16)_mm512_sqrt_ps((__m512)a); }
TRELLIS_INLINE trellis_v16 trellis_floor16(trellis_v16 a) { return (trellis_v16)_mm512_roundscale_ps((__m512)a, 9); }
TRELLIS_INLINE trellis_v16 trellis_ceil16(trellis_v16 a) { return (trellis_v16)_mm512_roundscale_ps((__m512)a, 10); }
TRELLIS_INLINE trellis_v16 trellis_round16(trellis_v16 a) { return (trellis_v16)_mm512_roundscale_ps((__m512)a, 8); }
/// The integers as floats and back (towards zero).
TRELLIS_INLINE trellis_v16 trellis_float16(trellis_i16 a) { return (trellis_v16)_mm512_cvtepi32_ps((__m512i)a); }
TRELLIS_INLINE trellis_i16 trellis_int16(trellis_v16 a) { return (trellis_i16)_mm512_cvttps_epi32((__m512)a); }
TRELLIS_INLINE trellis_i16 trellis_load16i(const int32_t *p) { return (trellis_i16)_mm512_loadu_si512(p); }
TRELLIS_INLINE void trellis_store16i(int32_t *p, trellis_i16 v) { _mm512_storeu_si512(p, (__m512i)v); }
/// Lane i of the 32 floats at p, i in 0 ..< 32.
TRELLIS_INLINE trellis_v16 trellis_pick16(const float *p, trellis_i16 i) {
  return (trellis_v16)_mm512_permutex2var_ps(_mm512_loadu_ps(p), (__m512i)i, _mm512_loadu_ps(p + 16));
}
/// Lane i of the 16 floats at p, i in 0 ..< 16.
TRELLIS_INLINE trellis_v16 trellis_near16(const float *p, trellis_i16 i) {
  return (trellis_v16)_mm512_permutexvar_ps((__m512i)i, _mm512_loadu_ps(p));
}
TRELLIS_INLINE trellis_v16 trellis_gather16(const float *p, trellis_i16 i) {
  return (trellis_v16)_mm512_i32gather_ps((__m512i)i, p, 4);
}
/// Lanes 0, 2, 4 ... of the 32 floats at p.
TRELLIS_INLINE trellis_v16 trellis_even16(const float *p) {
  trellis_v16 a = trellis_load16(p), b = trellis_load16(p + 16);
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
/// v0 0 v1 0 v2 0 ... into 32 floats at p.
TRELLIS_INLINE void trellis_spread16(float *p, trellis_v16 v) {
  trellis_v16 z = {0};
  trellis_store16(p, __builtin_shufflevector(v, z, 0, 16, 1, 16, 2, 16, 3, 16, 4, 16, 5, 16, 6, 16, 7, 16));
  trellis_store16(p + 16, __builtin_shufflevector(v, z, 8, 16, 9, 16, 10, 16, 11, 16, 12, 16, 13, 16, 14, 16, 15, 16));
}
TRELLIS_INLINE float trellis_sum16(trellis_v16 v) {
  trellis_v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  trellis_v4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}
TRELLIS_INLINE bool trellis_has_nan16(trellis_v16 a, trellis_v16 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q) != 0; }
#endif

#if defined(__AVX2__)
typedef int32_t trellis_i8 __attribute__((vector_size(32)));
TRELLIS_INLINE trellis_v8 trellis_max8(trellis_v8 a, trellis_v8 b) { return (trellis_v8)_mm256_max_ps((__m256)a, (__m256)b); }
TRELLIS_INLINE trellis_v8 trellis_min8(trellis_v8 a, trellis_v8 b) { return (trellis_v8)_mm256_min_ps((__m256)a, (__m256)b); }
TRELLIS_INLINE trellis_v8 trellis_sqrt8(trellis_v8 a) { return (trellis_v8)_mm256_sqrt_ps((__m256)a); }
TRELLIS_INLINE trellis_v8 trellis_floor8(trellis_v8 a) { return (trellis_v8)_mm256_round_ps((__m256)a, 9); }
TRELLIS_INLINE trellis_v8 trellis_ceil8(trellis_v8 a) { return (trellis_v8)_mm256_round_ps((__m256)a, 10); }
TRELLIS_INLINE trellis_v8 trellis_round8(trellis_v8 a) { return (trellis_v8)_mm256_round_ps((__m256)a, 8); }
TRELLIS_INLINE trellis_v8 trellis_float8(trellis_i8 a) { return (trellis_v8)_mm256_cvtepi32_ps((__m256i)a); }
TRELLIS_INLINE trellis_i8 trellis_int8(trellis_v8 a) { return (trellis_i8)_mm256_cvttps_epi32((__m256)a); }
TRELLIS_INLINE trellis_i8 trellis_load8i(const int32_t *p) { return (trellis_i8)_mm256_loadu_si256((const __m256i *)p); }
TRELLIS_INLINE void trellis_store8i(int32_t *p, trellis_i8 v) { _mm256_storeu_si256((__m256i *)p, (__m256i)v); }
TRELLIS_INLINE trellis_v8 trellis_near8(const float *p, trellis_i8 i) {
  return (trellis_v8)_mm256_permutevar8x32_ps(_mm256_loadu_ps(p), (__m256i)i);
}
TRELLIS_INLINE trellis_v8 trellis_pick8(const float *p, trellis_i8 i) {
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(p), (__m256i)i);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(p + 8), (__m256i)i);
  return (trellis_v8)_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)i, 28)));
}
TRELLIS_INLINE trellis_v8 trellis_gather8(const float *p, trellis_i8 i) { return (trellis_v8)_mm256_i32gather_ps(p, (__m256i)i, 4); }
TRELLIS_INLINE trellis_v8 trellis_even8(const float *p) {
  trellis_v8 a = trellis_load8(p), b = trellis_load8(p + 8);
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
TRELLIS_INLINE void trellis_spread8(float *p, trellis_v8 v) {
  trellis_v8 z = {0};
  trellis_store8(p, __builtin_shufflevector(v, z, 0, 8, 1, 8, 2, 8, 3, 8));
  trellis_store8(p + 8, __builtin_shufflevector(v, z, 4, 8, 5, 8, 6, 8, 7, 8));
}
TRELLIS_INLINE float trellis_sum8(trellis_v8 a) {
  trellis_v4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}
TRELLIS_INLINE bool trellis_has_nan8(trellis_v8 a, trellis_v8 b) {
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q)) != 0;
}
#endif

#if defined(__SSE4_1__)
#include <smmintrin.h>
typedef int32_t trellis_i4 __attribute__((vector_size(16)));
TRELLIS_INLINE trellis_v4 trellis_max4(trellis_v4 a, trellis_v4 b) { return (trellis_v4)_mm_max_ps((__m128)a, (__m128)b); }
TRELLIS_INLINE trellis_v4 trellis_min4(trellis_v4 a, trellis_v4 b) { return (trellis_v4)_mm_min_ps((__m128)a, (__m128)b); }
TRELLIS_INLINE trellis_v4 trellis_sqrt4(trellis_v4 a) { return (trellis_v4)_mm_sqrt_ps((__m128)a); }
TRELLIS_INLINE trellis_v4 trellis_floor4(trellis_v4 a) { return (trellis_v4)_mm_round_ps((__m128)a, 9); }
TRELLIS_INLINE trellis_v4 trellis_ceil4(trellis_v4 a) { return (trellis_v4)_mm_round_ps((__m128)a, 10); }
TRELLIS_INLINE trellis_v4 trellis_round4(trellis_v4 a) { return (trellis_v4)_mm_round_ps((__m128)a, 8); }
TRELLIS_INLINE trellis_v4 trellis_float4(trellis_i4 a) { return (trellis_v4)_mm_cvtepi32_ps((__m128i)a); }
TRELLIS_INLINE trellis_i4 trellis_int4(trellis_v4 a) { return (trellis_i4)_mm_cvttps_epi32((__m128)a); }
TRELLIS_INLINE trellis_i4 trellis_load4i(const int32_t *p) { return (trellis_i4)_mm_loadu_si128((const __m128i *)p); }
TRELLIS_INLINE void trellis_store4i(int32_t *p, trellis_i4 v) { _mm_storeu_si128((__m128i *)p, (__m128i)v); }
TRELLIS_INLINE trellis_v4 trellis_gather4(const float *p, trellis_i4 i) { return (trellis_v4){p[i[0]], p[i[1]], p[i[2]], p[i[3]]}; }
TRELLIS_INLINE trellis_v4 trellis_near4(const float *p, trellis_i4 i) { return trellis_gather4(p, i); }
TRELLIS_INLINE trellis_v4 trellis_pick4(const float *p, trellis_i4 i) { return trellis_gather4(p, i); }
TRELLIS_INLINE trellis_v4 trellis_even4(const float *p) {
  trellis_v4 a = trellis_load4(p), b = trellis_load4(p + 4);
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
TRELLIS_INLINE void trellis_spread4(float *p, trellis_v4 v) {
  trellis_v4 z = {0};
  trellis_store4(p, __builtin_shufflevector(v, z, 0, 4, 1, 4));
  trellis_store4(p + 4, __builtin_shufflevector(v, z, 2, 4, 3, 4));
}
TRELLIS_INLINE float trellis_sum4(trellis_v4 b) { return (b[0] + b[2]) + (b[1] + b[3]); }
TRELLIS_INLINE bool trellis_has_nan4(trellis_v4 a, trellis_v4 b) { return _mm_movemask_ps(_mm_cmpunord_ps((__m128)a, (__m128)b)) != 0; }
#endif

// The C library's functions, where an own vector form is not worth it.
TRELLIS_INLINE float trellis_powf(float a, float b) { return powf(a, b); }
TRELLIS_INLINE float trellis_sinf(float a) { return sinf(a); }
TRELLIS_INLINE float trellis_cosf(float a) { return cosf(a); }
