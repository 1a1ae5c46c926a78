// How much memory this process may still have, and how it is taken: what cannot be had is told, not died of.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes of tensor storage alive and the highest that ever was; `add` returns the new total.
int64_t trellis_memory_add(int64_t bytes);
int64_t trellis_memory_live(void);
int64_t trellis_memory_peak(void);
void trellis_memory_reset_peak(void);

enum {
  TRELLIS_LIMIT_MACHINE,        ///< free memory of the machine
  TRELLIS_LIMIT_ADDRESS_SPACE,  ///< RLIMIT_AS (ulimit -v) less what is mapped
  TRELLIS_LIMIT_DATA,           ///< RLIMIT_DATA (ulimit -d) less what is mapped and private
  TRELLIS_LIMIT_GROUP,          ///< the control group's limit less its use, file cache that can go not counted
};
typedef struct {
  int64_t bytes;
  int limit;
} trellis_available;

/// What can still be had, by the limit that binds. Reads some files: 20 to 60 us.
trellis_available trellis_memory_available(void);

/// The same less what is always left over: what a script may still take.
trellis_available trellis_memory_room(void);

/// Whether `bytes` more may be taken. Looks at the limits only when more than an eighth of what was free at the last look has been taken since.
/// Some megabytes are always left: code that cannot do without its few bytes lives on them.
bool trellis_memory_admits(size_t bytes);

/// `bytes` on a cache line's boundary, which free() gives back; NULL when they cannot be had.
void *trellis_memory_take(size_t bytes);

/// Called before memory is refused, on any thread: gives back what is kept for later.
void trellis_memory_on_pressure(void (*give_back)(void));
/// Gives back what malloc holds and nobody uses.
void trellis_memory_trim(void);

/// Code that cannot throw (kernels, pieces of a parallel run) notes the bytes that it did not get and returns; the next on the same thread that can
/// throw asks. What a piece misses on another thread the pool carries over to the one that runs it.
void trellis_memory_miss(size_t bytes);
extern _Thread_local int64_t trellis_memory_missed;
static inline int64_t trellis_memory_missing(void) { return trellis_memory_missed; }
/// The bytes that were noted (0: none), which are forgotten.
int64_t trellis_memory_take_missing(void);

/// For tests: a directory that stands for / where /proc and /sys are read; NULL: / itself. Forgets what was seen so far.
void trellis_memory_look_below(const char *directory);
