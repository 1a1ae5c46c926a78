// What the thread pool needs below Swift: the spin hint, and memory that belongs to a thread.
#pragma once
#include <stddef.h>
#include <immintrin.h>

/// Tells the core that this is a spin loop.
static inline __attribute__((always_inline)) void trellis_pause(void) { _mm_pause(); }

/// Number of cores that this process may use, at least 1.
int trellis_cores(void);

/// The core that this thread runs on at this moment.
int trellis_current_core(void);

/// Moves this thread off `core`, to any other one that the process may use; does nothing where there is no other.
void trellis_leave_core(int core);

/// Asks for large pages where the memory holds whole ones (2 MB): kernels that walk through many planes at once miss the address cache at every step
/// otherwise, and fresh memory costs 512 times fewer page faults.
void trellis_advise_huge(void *memory, size_t bytes);

/// `bytes` of this thread's scratch memory, 64-byte aligned, contents undefined: valid until this thread asks for the same
/// `slot` (0 ... 7) again. It grows and is kept, so that a kernel pays for page faults once. NULL when there is no memory,
/// which is noted (`trellis_memory_miss`): the kernel returns with its work undone, and who launched it throws.
void *trellis_workspace(int slot, size_t bytes);

/// Gives this thread's scratch memory back (a worker does so before it ends).
void trellis_workspace_free(void);

/// Blocks this thread's signals and stores what was blocked in `before` (a sigset_t): threads made now inherit it, and leave an interrupt to the main
/// thread. Faults are not blocked: they are their thread's own.
void trellis_block_signals(void *before);
