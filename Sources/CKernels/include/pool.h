// The window of a pooling operation over one plane, shared by the facade and the kernels.
#pragma once
#include <stdint.h>

typedef struct {
  intptr_t inHeight, inWidth, outHeight, outWidth;
  intptr_t kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth;
} trellis_pool;
