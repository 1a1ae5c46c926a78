#define _GNU_SOURCE
#include "threads.h"
#include "memory.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
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
    workspace[slot].bytes = 0;
    size_t rounded = (bytes + 4095) & ~(size_t)4095;
    workspace[slot].memory = trellis_memory_take(rounded);
    if (!workspace[slot].memory) {
      trellis_memory_miss(rounded);
      return NULL;
    }
    workspace[slot].bytes = rounded;
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

void trellis_block_signals(void *before) {
  static const int faults[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
  sigset_t all;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
  pthread_sigmask(SIG_BLOCK, &all, before);
}
