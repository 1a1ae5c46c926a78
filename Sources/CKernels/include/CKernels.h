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

/// Whether somebody asks to look into what runs; answered between two steps. Async-signal-safe.
void trellis_look_set(bool on);
bool trellis_look_wanted(void);

/// Whether the job that runs is to stop at the next place from which it can go on later. Async-signal-safe.
void trellis_stop_set(bool on);
bool trellis_stop_wanted(void);

/// The generator of Lua's math.random: the next 64 bits, and a start from two numbers as math.randomseed makes it.
uint64_t trellis_script_random_next(void);
void trellis_script_random_seed(uint64_t first, uint64_t second);
/// Its state, never all zero.
void trellis_script_random_save(uint64_t into[4]);
void trellis_script_random_restore(const uint64_t from[4]);
/// Numbers drawn since the start of the process: tells whether a piece of a script drew any.
uint64_t trellis_script_random_draws(void);
