// The shape of a convolution, shared by the facade and the three levels of kernels.
#pragma once
#include <stddef.h>

typedef struct {
  ptrdiff_t batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth;
  ptrdiff_t kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth, dilationHeight, dilationWidth;
  ptrdiff_t groups, inBatchStride, outBatchStride;
} trellis_conv;
