// C's stdout, stderr and stdin as streams of the host: what Lua, C and Swift print comes to one place in the order in which it was printed, without a
// thread and without waiting. Only children know nothing of streams: their descriptors 1 and 2 are pipes, which a thread empties while they run and
// which are emptied before their caller goes on.
#define _GNU_SOURCE
#include "private.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int clua_error_descriptor = 2;

static clua_streams owner;
static bool capturing;
/// C's streams of before, and duplicates of descriptors 0 to 2.
static FILE *before[3];
static int kept[3];
/// Ends of the pipes that children's descriptors 1 and 2 lead to.
static int pipes[2];
static int stop = -1;
static pthread_t pump;
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

extern char **environ;

/// Hands on what lies in the pipes; no more than 4 MB, as a child that goes on writing would never let go.
static void drain(void) {
  char bytes[1 << 14];
  pthread_mutex_lock(&reading);
  for (int i = 0; i < 2; i++) {
    for (int round = 0; round < 256; round++) {
      ssize_t count = read(pipes[i], bytes, sizeof bytes);
      if (count <= 0) break;
      owner.write(owner.context, bytes, (size_t)count, i == 1);
    }
  }
  pthread_mutex_unlock(&reading);
}

static void *run_pump(void *unused) {
  (void)unused;
  for (;;) {
    struct pollfd ready[] = {{.fd = pipes[0], .events = POLLIN}, {.fd = pipes[1], .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    if (poll(ready, 3, -1) < 0 && errno != EINTR) return NULL;
    if (ready[2].revents) return NULL;
    drain();
  }
}

static ssize_t write_out(void *cookie, const char *bytes, size_t count) {
  (void)cookie;
  owner.write(owner.context, bytes, count, false);
  return (ssize_t)count;
}

static ssize_t write_error(void *cookie, const char *bytes, size_t count) {
  (void)cookie;
  owner.write(owner.context, bytes, count, true);
  return (ssize_t)count;
}

static ssize_t read_in(void *cookie, char *bytes, size_t room) {
  (void)cookie;
  return owner.read(owner.context, bytes, room);
}

static bool open_pipe(int i) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  pipes[i] = ends[0];
  bool done = dup2(ends[1], i + 1) >= 0;
  close(ends[1]);
  return done;
}

bool clua_capture_begin(const clua_streams *streams) {
  if (capturing) return false;
  fflush(NULL);
  owner = *streams;
  for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
  clua_error_descriptor = kept[2];
  stop = eventfd(0, EFD_CLOEXEC);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (stop < 0 || nothing < 0 || dup2(nothing, 0) < 0 || !open_pipe(0) || !open_pipe(1)) return false;
  close(nothing);
  FILE *in = fopencookie("in", "r", (cookie_io_functions_t){.read = read_in});
  FILE *out = fopencookie("out", "w", (cookie_io_functions_t){.write = write_out});
  FILE *error = fopencookie("error", "w", (cookie_io_functions_t){.write = write_error});
  if (!in || !out || !error) return false;
  setvbuf(out, NULL, _IONBF, 0);
  setvbuf(error, NULL, _IONBF, 0);
  before[0] = stdin, before[1] = stdout, before[2] = stderr;
  stdin = in, stdout = out, stderr = error;
  // Signals are for the thread that runs Lua.
  sigset_t all, mine;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mine);
  bool started = pthread_create(&pump, NULL, run_pump, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &mine, NULL);
  capturing = started;
  return started;
}

void clua_capture_flush(void) {
  if (capturing) drain();
}

void clua_capture_end(void) {
  if (!capturing) return;
  drain();
  capturing = false;
  uint64_t one = 1;
  ssize_t ignored = write(stop, &one, sizeof one);
  (void)ignored;
  pthread_join(pump, NULL);
  FILE *ours[3] = {stdin, stdout, stderr};
  stdin = before[0], stdout = before[1], stderr = before[2];
  for (int i = 0; i < 3; i++) {
    fclose(ours[i]);
    dup2(kept[i], i);
    close(kept[i]);
  }
  close(pipes[0]);
  close(pipes[1]);
  close(stop);
  clua_error_descriptor = 2;
}

// MARK: - Children

enum { LOOKS_EVERY = 100, PATIENCE = 1000 };  ///< milliseconds: for an interrupt, and from asking a child to end to ending it

/// Waits for the child, which leads a group of its own: an interrupt reaches all of it.
static int wait_for(pid_t child) {
  int status = 0, waited = -1;
  int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
  while (waitpid(child, &status, descriptor >= 0 ? WNOHANG : 0) == 0) {
    struct pollfd ended = {.fd = descriptor, .events = POLLIN};
    poll(&ended, 1, LOOKS_EVERY);
    if (!trellis_interrupt_pending()) continue;
    if (waited < 0) kill(-child, SIGINT);
    waited += LOOKS_EVERY;
    if (waited >= PATIENCE) kill(-child, SIGKILL);
  }
  if (descriptor >= 0) close(descriptor);
  return status;
}

/// os.execute with the results of the library's.
static int execute(lua_State *L) {
  const char *command = luaL_optstring(L, 1, NULL);
  if (!command) {
    lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
    return 1;
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t none, standard;
  sigemptyset(&none);
  sigemptyset(&standard);
  sigaddset(&standard, SIGINT);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &standard);
  char *arguments[] = {"sh", "-c", (char *)command, NULL};
  pid_t child;
  int failure = posix_spawn(&child, "/bin/sh", NULL, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  if (failure) {
    errno = failure;
    return luaL_execresult(L, -1);
  }
  int status = wait_for(child);
  drain();
  return luaL_execresult(L, status);
}

/// How the library closes what its io.popen opened.
static lua_CFunction close_opened;

static int close_child(lua_State *L) {
  int count = close_opened(L);
  drain();
  return count;
}

static int open_child(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  luaL_Stream *stream = luaL_testudata(L, 1, LUA_FILEHANDLE);
  if (stream && stream->closef) {
    close_opened = stream->closef;
    stream->closef = close_child;
  }
  return lua_gettop(L);
}

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit would end the notebook; return or error ends a cell, and the front end restarts or stops its kernel");
}

void clua_capture_children(lua_State *L) {
  if (!capturing) return;
  lua_getglobal(L, "os");
  lua_pushcfunction(L, execute);
  lua_setfield(L, -2, "execute");
  lua_pushcfunction(L, no_exit);
  lua_setfield(L, -2, "exit");
  lua_getglobal(L, "io");
  lua_getfield(L, -1, "popen");
  lua_pushcclosure(L, open_child, 1);
  lua_setfield(L, -2, "popen");
  lua_pop(L, 2);
}
