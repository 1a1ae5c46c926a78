// Batch normalisation of one batch of a stack, shared by the facade and the kernels.
#pragma once
#include <stdint.h>
#include <stdbool.h>

/// `samples` images of `channels` planes of `size` elements in x, of channels·`repeats` planes in y and g; the strides are from one image to the
/// next. Moments are given for `statistics` channels: means, then variances.
typedef struct {
  intptr_t samples, size, channels, repeats, statistics;
  intptr_t xStride, gStride, yStride;
  float epsilon;
  bool accumulate;
} trellis_stack;
