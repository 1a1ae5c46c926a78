// The shape of a convolution, shared by the facade and the three levels of kernels.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  ptrdiff_t batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth;
  ptrdiff_t kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth, dilationHeight, dilationWidth;
  ptrdiff_t groups, inBatchStride, outBatchStride;
} trellis_conv;

/// Around a forward convolution: max(input, 0) first; each output channel times `scale` plus `shift` (either may be null); then added to the
/// output; then max(·, 0).
typedef struct {
  const float *scale, *shift;
  bool relu, accumulate, rectify;
} trellis_finish;
