#include "CKernels.h"
#include <stdatomic.h>
#include <stdlib.h>

int trellis_cpu_level(void) {
  __builtin_cpu_init();
  int level = 2;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) level = 3;
  if (level == 3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
    level = 4;
  const char *wish = getenv("TRELLIS_CPU");
  if (wish && wish[0] >= '2' && wish[0] <= '4' && !wish[1] && wish[0] - '0' < level) level = wish[0] - '0';
  return level;
}

static atomic_bool interrupted, look, stop;
void trellis_interrupt_set(bool on) { atomic_store_explicit(&interrupted, on, memory_order_relaxed); }
bool trellis_interrupt_pending(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

void trellis_look_set(bool on) { atomic_store_explicit(&look, on, memory_order_relaxed); }
bool trellis_look_wanted(void) { return atomic_load_explicit(&look, memory_order_relaxed); }

void trellis_stop_set(bool on) { atomic_store_explicit(&stop, on, memory_order_relaxed); }
bool trellis_stop_wanted(void) { return atomic_load_explicit(&stop, memory_order_relaxed); }
