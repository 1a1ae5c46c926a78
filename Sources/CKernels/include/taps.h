// A sparse row operator, shared by the facade (which makes it) and the kernels (which apply it):
// out[j] = sum over k < taps of weight[k·pitch + j] · in[start[j] + k].
#pragma once
#include <stdint.h>

typedef struct {
  /// Never falling; room for a whole vector behind the last.
  const int32_t *start;
  /// 0 where a tap does not exist.
  const float *weight;
  intptr_t taps, count, inCount, pitch;
} trellis_taps;
