// Ctrl-C. A hook that is always on doubles the time of a tight loop, so the signal arms it; it stays armed until the top level
// returns, because a pcall would swallow a single error; and it is armed on every coroutine that runs, because hooks are per thread.
// A job that can be gone on with is asked to stop by the first press, and ended as all others by the second. Who wants to look into
// what runs (look.c) arms the same hook.
#include "private.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static clua_host *volatile active;
static pthread_t lua_thread;
/// Presses of Ctrl-C since it was last answered, and when the last one was, in milliseconds on the monotonic clock.
static volatile int presses;
static volatile int64_t last_press;
static bool is_patient;
/// Jobs that stop by themselves when they are asked to, one within the other.
static volatile int stoppable;
/// Of clua_raise_soon; empty: nothing.
static char soon[300];

void clua_push_interrupt(lua_State *L) {
  lua_checkstack(L, 3);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_interrupt);
}

bool clua_is_interrupt(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return false;
  const void *address = lua_topointer(L, index);
  clua_push_interrupt(L);
  bool same = lua_topointer(L, -1) == address;
  lua_pop(L, 1);
  return same;
}

static int interrupt_text(lua_State *L) {
  lua_pushliteral(L, "interrupted");
  return 1;
}

static void hook(lua_State *L, lua_Debug *ar);

/// Puts back what was there before the hook.
static void disarm(lua_State *L) {
  const clua_host *host = clua_host_of(L);
  if (lua_gethook(L) != hook) return;
  if (L == host->main) lua_sethook(L, host->hook, host->hook_mask, host->hook_count);
  else lua_sethook(L, NULL, 0, 0);
}

static void hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (soon[0]) {
    if (!trellis_interrupt_pending()) lua_sethook(L, NULL, 0, 0);
    luaL_where(L, 0);
    lua_pushstring(L, soon);
    soon[0] = '\0';
    lua_concat(L, 2);
    lua_error(L);
  }
  if (trellis_interrupt_pending()) {
    clua_push_interrupt(L);
    lua_error(L);
  }
  if (trellis_look_wanted() && !clua_look_serve(L)) return;
  // Also a coroutine that was armed in an earlier run and is resumed in this one.
  disarm(L);
}

void clua_arm(lua_State *L) {
  lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *message) {
  ssize_t ignored = write(clua_error_descriptor, message, strlen(message));
  (void)ignored;
}

static void arm_all(clua_host *host) {
  if (lua_gethook(host->main) != hook) {
    host->hook = lua_gethook(host->main);
    host->hook_mask = lua_gethookmask(host->main);
    host->hook_count = lua_gethookcount(host->main);
  }
  clua_arm(host->main);
  for (int i = 0; i < host->thread_count && i < CLUA_MAX_THREADS; i++) clua_arm(host->threads[i]);
}

/// The kernel may pick any thread; only the one that runs Lua may touch its states.
static bool is_handed_on(int signal_number) {
  if (pthread_equal(pthread_self(), lua_thread)) return false;
  pthread_kill(lua_thread, signal_number);
  return true;
}

/// Whether a press asks the job to stop, or is one of a held key that did; what comes after it interrupts.
static bool asks_to_stop(int64_t now) {
  if (stoppable == 0 || (active && active->is_looking)) return false;
  if (trellis_stop_wanted()) return !is_patient && now - last_press <= 200;
  trellis_stop_set(true);
  last_press = now;
  if (!is_patient) say("\ntrellis: stops after this step; Ctrl-C again stops at once\n");
  return true;
}

static void on_signal(int signal_number) {
  int saved = errno;
  if (is_handed_on(signal_number)) {
    errno = saved;
    return;
  }
  clua_host *host = active;
  const int64_t now = milliseconds();
  if (signal_number == SIGINT && asks_to_stop(now)) {
    errno = saved;
    return;
  }
  // A held key repeats every 30 ms; another press comes later than that, one that means it within some seconds.
  if (is_patient || !host || !trellis_interrupt_pending() || now - last_press > 5000) {
    presses = 1;
  } else if (now - last_press > 200) {
    presses++;
    if (presses == 2) say("\ntrellis: what runs now cannot be stopped at once; Ctrl-C again ends the program\n");
    if (presses == 3) {
      say("\ntrellis: forced to stop\n");
      _exit(130);
    }
  }
  if (presses == 1 || now - last_press > 200) last_press = now;
  trellis_interrupt_set(true);
  if (host) arm_all(host);
  errno = saved;
}

/// Ctrl-\ is for what runs; without anything it does nothing.
static void on_look(int signal_number) {
  int saved = errno;
  if (!is_handed_on(signal_number) && active) {
    trellis_look_set(true);
    clua_look_arm(active);
  }
  errno = saved;
}

void clua_look_arm(clua_host *host) {
  // A function that is being recorded has a hook of its own, and is armed when it is done.
  if (!host->trace) arm_all(host);
}

void clua_look_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_look;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGQUIT, &action, NULL);
}

void clua_look_ask(void) {
  trellis_look_set(true);
  pthread_kill(lua_thread, SIGQUIT);
}

void clua_interrupt_install(void) {
  lua_thread = pthread_self();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;  // no SA_RESTART: a blocked read is to end
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

void clua_interrupt(void) { pthread_kill(lua_thread, SIGINT); }

void clua_interrupt_at_once(void) {
  trellis_stop_set(true);
  clua_interrupt();
}

void clua_stoppable_begin(void) { stoppable = stoppable + 1; }

void clua_stoppable_end(void) {
  stoppable = stoppable - 1;
  if (stoppable > 0 || !trellis_stop_wanted()) return;
  trellis_stop_set(false);
  // What comes after the job is not to run either.
  if (!trellis_interrupt_pending()) clua_interrupt();
}

void clua_interrupt_patient(bool patient) { is_patient = patient; }

void clua_raise_soon(lua_State *L, const char *message) {
  strncpy(soon, message, sizeof soon - 1);
  clua_arm(clua_host_of(L)->current);
}

void clua_interrupt_after(double seconds) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {.it_value = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

void clua_run_begin(lua_State *L) {
  clua_host *host = clua_host_of(L);
  if (host->depth++ > 0) return;
  trellis_interrupt_set(false);
  trellis_stop_set(false);
  lua_checkstack(L, 2);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_inner_value);
  active = host;
  // Asked for by another thread before this run had begun.
  if (trellis_look_wanted()) clua_look_arm(host);
}

bool clua_run_end(lua_State *L) {
  clua_host *host = clua_host_of(L);
  if (--host->depth > 0) return false;
  active = NULL;
  bool interrupted = trellis_interrupt_pending();
  trellis_interrupt_set(false);
  trellis_stop_set(false);
  disarm(host->main);
  return interrupted;
}

// MARK: - Coroutines that are known while they run

static int resume(lua_State *L, lua_State *coroutine, int arguments, int *results) {
  clua_host *host = clua_host_of(L);
  if (host->thread_count < CLUA_MAX_THREADS) host->threads[host->thread_count] = coroutine;
  host->thread_count++;
  if (trellis_interrupt_pending() || trellis_look_wanted()) clua_arm(coroutine);
  lua_State *current = host->current;
  host->current = coroutine;
  int status = lua_resume(coroutine, L, arguments, results);
  host->current = current;
  host->thread_count--;
  return status;
}

/// Moves the arguments over and the results back; -1 with an error value on top.
static int resume_with_arguments(lua_State *L, lua_State *coroutine, int arguments) {
  if (!lua_checkstack(coroutine, arguments)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, coroutine, arguments);
  int results;
  int status = resume(L, coroutine, arguments, &results);
  if (status == LUA_OK || status == LUA_YIELD) {
    if (!lua_checkstack(L, results + 1)) {
      lua_pop(coroutine, results);
      lua_pushliteral(L, "too many results to resume");
      return -1;
    }
    lua_xmove(coroutine, L, results);
    return results;
  }
  lua_xmove(coroutine, L, 1);
  return -1;
}

static lua_State *check_coroutine(lua_State *L) {
  lua_State *coroutine = lua_tothread(L, 1);
  if (!coroutine) luaL_typeerror(L, 1, "coroutine");
  return coroutine;
}

static int coroutine_resume(lua_State *L) {
  lua_State *coroutine = check_coroutine(L);
  int results = resume_with_arguments(L, coroutine, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0);
  int count = results >= 0 ? results + 1 : 2;
  lua_insert(L, -count);
  return count;
}

static int wrapped(lua_State *L) {
  lua_State *coroutine = lua_tothread(L, lua_upvalueindex(1));
  int results = resume_with_arguments(L, coroutine, lua_gettop(L));
  if (results >= 0) return results;
  int status = lua_status(coroutine);
  if (status != LUA_OK && status != LUA_YIELD) {  // an error in the coroutine itself
    clua_keep_coroutine_traceback(L, coroutine);
    if (lua_resetthread(coroutine) != LUA_OK) {
      lua_pop(L, 1);
      lua_xmove(coroutine, L, 1);
      clua_keep_coroutine_traceback(L, coroutine);
    }
  } else if (lua_type(L, -1) == LUA_TSTRING) {  // one that cannot run: the message says where it was called, as errors inside say where they are
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int coroutine_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *coroutine = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, coroutine, 1);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

static int coroutine_close(lua_State *L) {
  lua_State *coroutine = check_coroutine(L);
  clua_host *host = clua_host_of(L);
  // Its pending <close> variables run on it.
  if (host->thread_count < CLUA_MAX_THREADS) host->threads[host->thread_count] = coroutine;
  host->thread_count++;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  int failed = lua_pcall(L, 1, LUA_MULTRET, 0);
  host->thread_count--;
  return failed ? lua_error(L) : lua_gettop(L) - 1;
}

// MARK: - xpcall

/// An error raised in a hook finds hooks off while its handler runs, so a script's handler that loops could not be stopped: an
/// interrupt passes it by. Upvalue: the script's handler.
static int guarded_handler(lua_State *L) {
  if (trellis_interrupt_pending()) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static int xpcall_end(lua_State *L, int status, lua_KContext extra) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)extra;
  lua_pushboolean(L, false);
  lua_pushvalue(L, -2);
  return 2;
}

static int guarded_xpcall(lua_State *L) {
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, guarded_handler, 1);
  lua_replace(L, 2);
  lua_pushboolean(L, true);  // the first result
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);  // below the arguments
  return xpcall_end(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, xpcall_end), 2);
}

void clua_make_interruptible(lua_State *L) {
  lua_pushcfunction(L, guarded_xpcall);
  lua_setglobal(L, "xpcall");
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, interrupt_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "interrupt");
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "interrupt");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_interrupt);

  lua_getglobal(L, "coroutine");
  lua_pushcfunction(L, coroutine_resume);
  lua_setfield(L, -2, "resume");
  lua_pushcfunction(L, coroutine_wrap);
  lua_setfield(L, -2, "wrap");
  lua_getfield(L, -1, "close");
  lua_pushcclosure(L, coroutine_close, 1);
  lua_setfield(L, -2, "close");
  lua_pop(L, 1);
}
