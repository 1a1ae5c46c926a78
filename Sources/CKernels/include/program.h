// The element-wise interpreter's instruction, shared by the facade (which writes programs) and the kernels (which run them).
#pragma once
#include <stdint.h>

/// `destination` and the operands are slots: places of a tile. The numbers of the operations are those of
/// ElementwiseProgram.Opcode.
typedef struct {
  int32_t opcode, destination, a, b, c;
} trellis_instruction;

/// A tile: `step` is -1 for a place in memory that runs with the element, 0 for a scalar (a vector of equal values).
typedef struct {
  float *memory;
  intptr_t step;
} trellis_slot;
