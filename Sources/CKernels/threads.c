#define _GNU_SOURCE
#include "threads.h"
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int trellis_cores(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? count : 1;
}

int trellis_current_core(void) { return sched_getcpu(); }

/// What the process may use, as it was before any thread left a core.
static cpu_set_t allowed;
static pthread_once_t allowed_once = PTHREAD_ONCE_INIT;
static void find_allowed(void) {
  // The main thread's mask: workers change their own only.
  if (sched_getaffinity(getpid(), sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
}

void trellis_leave_core(int core) {
  pthread_once(&allowed_once, find_allowed);
  cpu_set_t others = allowed;
  if (core < 0 || core >= CPU_SETSIZE) return;
  CPU_CLR(core, &others);
  if (CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof others, &others);
}

void trellis_advise_huge(void *memory, size_t bytes) {
  const uintptr_t page = (uintptr_t)2 << 20;
  uintptr_t first = ((uintptr_t)memory + page - 1) & ~(page - 1), last = ((uintptr_t)memory + bytes) & ~(page - 1);
  if (last > first) madvise((void *)first, last - first, MADV_HUGEPAGE);
}

enum { slots = 8 };
static _Thread_local struct { void *memory; size_t bytes; } workspace[slots];

void *trellis_workspace(int slot, size_t bytes) {
  if (workspace[slot].bytes < bytes) {
    free(workspace[slot].memory);
    size_t rounded = (bytes + 4095) & ~(size_t)4095;
    workspace[slot].memory = aligned_alloc(64, rounded);
    workspace[slot].bytes = rounded;
    if (!workspace[slot].memory) {
      fprintf(stderr, "trellis: out of memory (%zu bytes of scratch space for a kernel)\n", rounded);
      abort();
    }
    trellis_advise_huge(workspace[slot].memory, rounded);
  }
  return workspace[slot].memory;
}

void trellis_workspace_free(void) {
  for (int slot = 0; slot < slots; slot++) {
    free(workspace[slot].memory);
    workspace[slot].memory = NULL;
    workspace[slot].bytes = 0;
  }
}
