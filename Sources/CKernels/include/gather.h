// Reads by a list of places.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "simd.h"

/// to[i] = index[i] < 0 ? 0 : from[index[i]] for i < n; from[0] is readable.
TRELLIS_INLINE void trellis_gather(const float *from, const int32_t *index, float *to, ptrdiff_t n) {
#if defined(__AVX512F__)
  // Ten cycles for sixteen elements.
  for (ptrdiff_t i = 0; i < n; i += 16) {
    const __mmask16 wanted = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1u) : (__mmask16)0xffff;
    const __m512i places = _mm512_maskz_loadu_epi32(wanted, index + i);
    const __mmask16 inside = _mm512_mask_cmpge_epi32_mask(wanted, places, _mm512_setzero_si512());
    const __m512 values = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, places, from, 4);
    if (n - i >= 16) _mm512_storeu_ps(to + i, values);
    else _mm512_mask_storeu_ps(to + i, wanted, values);
  }
#else
  for (ptrdiff_t i = 0; i < n; i++) {
    const int32_t at = index[i];
    const float value = from[at < 0 ? 0 : at];
    to[i] = at < 0 ? 0 : value;
  }
#endif
}
