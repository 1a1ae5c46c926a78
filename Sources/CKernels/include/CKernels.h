// What the numeric kernels and the runtime need from C: vector loads and stores that are sure to be inlined, the
// processor's level, and a few atomics. Nothing here calls back into Swift.
#pragma once
#include <stdint.h>
#include <stdbool.h>
#include "simd.h"
#include "simd_math.h"
#include "pool.h"
#include "stack.h"
#include "program.h"
#include "taps.h"
#include "threads.h"
#include "conv.h"
#include "gather.h"
#include "memory.h"
#include "transpose.h"

/// x86-64 level of this processor: 2, 3 or 4 (TRELLIS_CPU=2|3|4 in the environment lowers it).
int trellis_cpu_level(void);

/// Set by SIGINT's handler (async-signal-safe), polled by plans and kernels between pieces of work.
void trellis_interrupt_set(bool on);
bool trellis_interrupt_pending(void);
