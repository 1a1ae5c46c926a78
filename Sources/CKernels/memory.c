#define _GNU_SOURCE
#include "memory.h"
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// MARK: - Live bytes

static _Atomic int64_t live, peak;

int64_t trellis_memory_add(int64_t bytes) {
  int64_t now = atomic_fetch_add_explicit(&live, bytes, memory_order_relaxed) + bytes;
  int64_t most = atomic_load_explicit(&peak, memory_order_relaxed);
  while (now > most && !atomic_compare_exchange_weak_explicit(&peak, &most, now, memory_order_relaxed, memory_order_relaxed)) {}
  return now;
}

int64_t trellis_memory_live(void) { return atomic_load_explicit(&live, memory_order_relaxed); }
int64_t trellis_memory_peak(void) { return atomic_load_explicit(&peak, memory_order_relaxed); }
void trellis_memory_reset_peak(void) { atomic_store_explicit(&peak, trellis_memory_live(), memory_order_relaxed); }

// MARK: - Limits

enum { most_groups = 32, path_size = 1024, text_size = 16384 };

static char root[path_size];

/// Reads a small file; false when it is not there.
static bool read_text(const char *path, char *text, size_t size) {
  char whole[2 * path_size];
  snprintf(whole, sizeof whole, "%s%s", root, path);
  int file = open(whole, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t count = 0;
  for (ssize_t part; count < size - 1 && (part = read(file, text + count, size - 1 - count)) > 0;) count += (size_t)part;
  close(file);
  text[count] = 0;
  return true;
}

/// The number after `name` at the beginning of a line, or `otherwise`.
static int64_t number_after(const char *text, const char *name, int64_t otherwise) {
  size_t length = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (strncmp(line, name, length) == 0) return strtoll(line + length, NULL, 10);
  return otherwise;
}

static int64_t number_in(const char *directory, const char *file, int64_t otherwise) {
  char path[path_size + 64], text[64], *end;
  snprintf(path, sizeof path, "%s/%s", directory, file);
  if (!read_text(path, text, sizeof text)) return otherwise;
  int64_t value = strtoll(text, &end, 10);
  return end == text ? otherwise : value;  // "max"
}

/// The control groups of this process that can have a limit of memory, from its own up to the root.
static struct { char path[path_size]; bool unified; } groups[most_groups];
static int group_count;
static bool knows_groups;

static void add_groups(const char *mount, const char *within, bool unified) {
  char path[path_size];
  if (snprintf(path, sizeof path, "%s%s", mount, strcmp(within, "/") == 0 ? "" : within) >= (int)sizeof path) return;
  size_t least = strlen(mount);
  while (group_count < most_groups) {
    snprintf(groups[group_count].path, path_size, "%s", path);
    groups[group_count++].unified = unified;
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) < least) return;
    *slash = 0;
  }
}

/// The path of this process in a hierarchy: of version 2, or of version 1 with the controller of memory.
static bool own_path(const char *text, bool unified, char *path) {
  for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
    const char *controllers = strchr(line, ':');
    const char *start = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!start) continue;
    char names[256];
    snprintf(names, sizeof names, ",%.*s,", (int)(start - controllers - 1), controllers + 1);
    if (unified ? strcmp(names, ",,") != 0 : strstr(names, ",memory,") == NULL) continue;
    size_t length = strcspn(start + 1, "\n");
    snprintf(path, path_size, "%.*s", (int)length, start + 1);
    return true;
  }
  return false;
}

/// Lists the groups by where their hierarchies are mounted.
static void find_groups(void) {
  static char mounts[4 * text_size];
  char own[text_size], within[path_size];
  group_count = 0;
  if (!read_text("/proc/self/cgroup", own, sizeof own) || !read_text("/proc/self/mountinfo", mounts, sizeof mounts)) return;
  for (char *save, *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    char from[path_size], mount[path_size];
    const char *type = strstr(line, " - ");
    if (!type || sscanf(line, "%*s %*s %*s %1023s %1023s", from, mount) != 2) continue;
    bool unified = strncmp(type, " - cgroup2 ", 11) == 0;
    const char *options = strrchr(type, ' ');
    if (!unified && (strncmp(type, " - cgroup ", 10) != 0 || !strstr(options, "memory"))) continue;
    if (!own_path(own, unified, within)) continue;
    // Only a part of the hierarchy may be mounted; what lies outside of it (a container's view) is its root.
    size_t length = strcmp(from, "/") == 0 ? 0 : strlen(from);
    bool inside = strncmp(within, from, length) == 0 && strstr(within, "/..") == NULL;
    add_groups(mount, inside && within[length] ? within + length : "/", unified);
  }
}

static int64_t group_room(int i) {
  const char *path = groups[i].path;
  bool unified = groups[i].unified;
  int64_t most = number_in(path, unified ? "memory.max" : "memory.limit_in_bytes", INT64_MAX);
  // Version 1 says "none" by the largest number of pages.
  if (most > (int64_t)1 << 60) return INT64_MAX;
  int64_t used = number_in(path, unified ? "memory.current" : "memory.usage_in_bytes", 0);
  char file[path_size + 64], text[text_size];
  snprintf(file, sizeof file, "%s/memory.stat", path);
  if (read_text(file, text, sizeof text)) {
    used -= number_after(text, unified ? "inactive_file " : "total_inactive_file ", 0);
    used -= number_after(text, unified ? "active_file " : "total_active_file ", 0);
  }
  return most - (used > 0 ? used : 0);
}

static void bind(trellis_available *result, int64_t bytes, int limit) {
  if (bytes < result->bytes) *result = (trellis_available){bytes > 0 ? bytes : 0, limit};
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/// With the lock held.
static trellis_available available(void) {
  char text[text_size];
  trellis_available result = {INT64_MAX, TRELLIS_LIMIT_MACHINE};
  if (!knows_groups) find_groups();
  knows_groups = true;
  if (read_text("/proc/meminfo", text, sizeof text)) {
    int64_t kilobytes = number_after(text, "MemAvailable:", -1);
    if (kilobytes >= 0) bind(&result, kilobytes * 1024, TRELLIS_LIMIT_MACHINE);
  }
  struct rlimit space = {RLIM_INFINITY, RLIM_INFINITY}, data = space;
  getrlimit(RLIMIT_AS, &space);
  getrlimit(RLIMIT_DATA, &data);
  long long pages[6] = {0};
  if ((space.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY) && read_text("/proc/self/statm", text, sizeof text)) {
    sscanf(text, "%lld %lld %lld %lld %lld %lld", pages, pages + 1, pages + 2, pages + 3, pages + 4, pages + 5);
    int64_t page = sysconf(_SC_PAGESIZE);
    if (space.rlim_cur != RLIM_INFINITY) bind(&result, (int64_t)space.rlim_cur - pages[0] * page, TRELLIS_LIMIT_ADDRESS_SPACE);
    if (data.rlim_cur != RLIM_INFINITY) bind(&result, (int64_t)data.rlim_cur - pages[5] * page, TRELLIS_LIMIT_DATA);
  }
  for (int i = 0; i < group_count; i++) bind(&result, group_room(i), TRELLIS_LIMIT_GROUP);
  return result;
}

trellis_available trellis_memory_available(void) {
  pthread_mutex_lock(&lock);
  trellis_available result = available();
  pthread_mutex_unlock(&lock);
  return result;
}

// MARK: - Taking

/// What is left alone: Swift's objects, Lua's strings and the C library take their few bytes without asking, and end the process without them.
static const int64_t reserve = 24 << 20;
/// Sums of small blocks may also be had from memory that malloc holds: so much in one piece is asked for to see.
static const int64_t small = 4 << 20, probe = 8 << 20;

trellis_available trellis_memory_room(void) {
  trellis_available now = trellis_memory_available();
  now.bytes = now.bytes > reserve ? now.bytes - reserve : 0;
  return now;
}

static void (*_Atomic give_back)(void);
/// What may be taken before the next look. The first megabytes, which every start takes, are not looked at.
static _Atomic int64_t credit = 8 << 20;

void trellis_memory_on_pressure(void (*function)(void)) { atomic_store(&give_back, function); }

void trellis_memory_look_below(const char *directory) {
  pthread_mutex_lock(&lock);
  snprintf(root, sizeof root, "%s", directory ? directory : "");
  knows_groups = false;
  atomic_store(&credit, 0);
  pthread_mutex_unlock(&lock);
}

/// Whether malloc holds free memory of its own. Where limits are of address space that is memory to be had; elsewhere it has been given back.
static bool malloc_has_room(int limit) {
  if (limit != TRELLIS_LIMIT_ADDRESS_SPACE && limit != TRELLIS_LIMIT_DATA) return false;
  void *volatile block = malloc((size_t)probe);
  free(block);
  return block != NULL;
}

static bool look(int64_t bytes) {
  trellis_available now = trellis_memory_available();
  int64_t rest = now.bytes - reserve - bytes;
  if (rest < 0) {
    void (*function)(void) = atomic_load(&give_back);
    if (function) function();
    malloc_trim(0);
    now = trellis_memory_available();
    rest = now.bytes - reserve - bytes;
    if (rest < 0 && bytes <= small && malloc_has_room(now.limit)) rest = small;
  }
  // An eighth: what is not asked for (objects, strings) and other processes take memory, too, and the nearer the limit the more often it is looked at.
  atomic_store_explicit(&credit, rest > 0 ? rest / 8 : 0, memory_order_relaxed);
  return rest >= 0;
}

void trellis_memory_trim(void) { malloc_trim(0); }

bool trellis_memory_admits(size_t bytes) {
  if (bytes > (size_t)1 << 62) return false;
  if (atomic_fetch_sub_explicit(&credit, (int64_t)bytes, memory_order_relaxed) >= (int64_t)bytes) return true;
  return look((int64_t)bytes);
}

void *trellis_memory_take(size_t bytes) {
  if (!trellis_memory_admits(bytes)) return NULL;
  void *block = NULL;
  if (posix_memalign(&block, 64, bytes) == 0) return block;
  void (*function)(void) = atomic_load(&give_back);
  if (function) function();
  return posix_memalign(&block, 64, bytes) == 0 ? block : NULL;
}

// MARK: - What was not had

_Thread_local int64_t trellis_memory_missed;

void trellis_memory_miss(size_t bytes) { trellis_memory_missed = bytes < INT64_MAX ? (int64_t)bytes : INT64_MAX; }

int64_t trellis_memory_take_missing(void) {
  int64_t bytes = trellis_memory_missed;
  trellis_memory_missed = 0;
  return bytes;
}
