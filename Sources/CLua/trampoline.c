// Trampolines: the C functions that Lua sees, each calling one Swift body and raising after its frame has returned.
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clua_body dispatch;
static clua_release release;

char clua_key_traceback, clua_key_inner_value, clua_key_inner_traceback, clua_key_interrupt, clua_key_unique, clua_key_boxed,
  clua_key_library, clua_key_sizes;

void clua_give_back(void *object) { release(object); }

/// What a userdata costs outside Lua's heap beside its tensor storage: the Swift object, its shape, its graph node.
enum { OBJECT_BYTES = 256 };
/// Collections are so many bytes of tensors apart even where memory is nearly used up.
enum { LEAST_ROOM = 16 << 20 };

static int64_t external_bytes(clua_host *host) { return trellis_memory_live() + host->objects * OBJECT_BYTES; }

void clua_collect(lua_State *L) {
  clua_host *host = clua_host_of(L);
  lua_gc(L, LUA_GCCOLLECT, 0);
  // Not beyond what can still be had: garbage that is not looked for must not be why memory is refused.
  int64_t live = external_bytes(host), room = trellis_memory_available().bytes / 2;
  if (room < LEAST_ROOM) room = LEAST_ROOM;
  int64_t limit = 2 * live > host->base ? 2 * live : host->base;
  host->limit = limit < live + room ? limit : live + room;
}

int64_t clua_heap_bytes(lua_State *L) { return (int64_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + lua_gc(L, LUA_GCCOUNTB, 0); }

// MARK: - Raising

/// Replaces the message on top by one with a position in front, and raises it. Fields are reached through a function of ours.
static int raise_message(lua_State *L, const clua_function *function) {
  luaL_where(L, function->style >= CLUA_FIELD ? 2 : 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

/// What follows the message on a bad argument when a method was called with a dot, or a function of a module with a colon; else "". May push one value.
static const char *colon_remedy(lua_State *L, const clua_function *function, const lua_Debug *ar, int argument, const char *message) {
  // With a dot the object is missing: the first argument is not it, or the last one is not there.
  const bool lacks = argument == 1 || strstr(message, "no value") || strstr(message, "value expected");
  if (function->style == CLUA_METHOD && lacks && strcmp(ar->namewhat, "field") == 0)
    return lua_pushfstring(L, "; a method is called with a colon: x:%s(...)", function->name);
  if (function->style == CLUA_FUNCTION && *function->module && strcmp(ar->namewhat, "method") == 0)
    return lua_pushfstring(L, "; a function of a module is called with a dot: %s.%s(...)", function->module, function->name);
  return "";
}

/// Name and number of an argument as luaL_argerror gives them, but with the registry's name in place of the caller's alias.
static int argument_error(lua_State *L, const clua_function *function) {
  int argument = (int)lua_tointeger(L, -1);
  const char *message = lua_tostring(L, -2);
  const char *name = function->name;
  int style = function->style;
  lua_Debug ar;
  if (style <= CLUA_METHOD && lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar)) {
    message = lua_pushfstring(L, "%s%s", message, colon_remedy(L, function, &ar, argument, message));
    if (strcmp(ar.namewhat, "method") == 0) argument--;
    if (argument == 0) {
      lua_pushfstring(L, "calling '%s' on bad self (%s)", name, message);
      return raise_message(L, function);
    }
  }
  if (style >= CLUA_FIELD && argument == 1) {  // the object itself: it has been freed
    lua_settop(L, -2);
    return raise_message(L, function);
  }
  switch (style) {
    case CLUA_OPERATOR: lua_pushfstring(L, "bad operand #%d to '%s' (%s)", argument, name, message); break;
    case CLUA_FIELD: lua_pushfstring(L, "bad value for field '%s' (%s)", name, message); break;
    case CLUA_KEY: lua_pushfstring(L, "bad %s (%s)", argument == 2 ? "index" : "value", message); break;
    case CLUA_CALLABLE: argument--;  // fall through
    default: lua_pushfstring(L, "bad argument #%d to '%s' (%s)", argument, name, message);
  }
  return raise_message(L, function);
}

/// Raises what a Swift body returned below zero. Does not return.
static int raise_result(lua_State *L, const clua_function *function, int code) {
  luaL_checkstack(L, 8, NULL);
  switch (code) {
    case CLUA_ARGUMENT: return argument_error(L, function);
    case CLUA_INTERRUPTED: clua_push_interrupt(L); return lua_error(L);
    case CLUA_VALUE: return lua_error(L);
    default: return raise_message(L, function);
  }
}

/// Raises what could not be done inside of the body.
static int raise_failure(lua_State *L, const clua_function *function) {
  clua_host *host = clua_host_of(L);
  const char *failure = host->failure;
  host->failure = NULL;
  lua_settop(L, 0);
  lua_pushstring(L, failure);
  return raise_message(L, function);
}

/// Runs a Swift body, and raises what it says once its frame is gone.
__attribute__((always_inline)) static inline int call(lua_State *L, clua_host *host, const clua_function *function, void *object) {
  if (__builtin_expect(!lua_checkstack(L, CLUA_SLACK), 0)) return luaL_error(L, "stack overflow");
  lua_State *caller = host->current;
  const clua_function *outer = host->function;
  int results = host->results;
  host->current = L;
  host->function = function;
  host->in_swift++;
  int count = dispatch(L, object);
  host->in_swift--;
  host->function = outer;
  host->current = caller;
  if (__builtin_expect(host->results > results, 0)) clua_drop_results(L, results);
  if (__builtin_expect(host->failure != NULL, 0)) return raise_failure(L, function);
  return count >= 0 ? count : raise_result(L, function, count);
}

static int trampoline(lua_State *L) {
  clua_host *host = clua_host_of(L);
  // Here no Swift frame is above us, so finalisers may run; inside a body they had better not all run at once.
  if (external_bytes(host) > host->limit) {
    host->collections++;
    clua_collect(L);
  }
  const clua_function *function = lua_touserdata(L, lua_upvalueindex(1));
  return call(L, host, function, function->object);
}

/// The same for a function made at run time, whose context is a userdata that owns it. Upvalues: that, and its record.
static int owning_trampoline(lua_State *L) {
  clua_box *box = lua_touserdata(L, lua_upvalueindex(1));
  if (!box->object) return luaL_error(L, "function called while the state closes");
  return call(L, clua_host_of(L), lua_touserdata(L, lua_upvalueindex(2)), box->object);
}

void clua_push_function(lua_State *L, const clua_function *function) {
  clua_need(L, 2);
  lua_pushlightuserdata(L, (void *)function);
  lua_pushcclosure(L, trampoline, 1);
}

bool clua_is_made_at_run_time(lua_State *L, int index) { return lua_tocfunction(L, index) == owning_trampoline; }

void *clua_function_context(lua_State *L, int index) {
  lua_CFunction function = lua_tocfunction(L, index);
  if (function != trampoline && function != owning_trampoline) return NULL;
  if (!lua_checkstack(L, 1) || !lua_getupvalue(L, index, 1)) return NULL;
  void *context = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return function == trampoline ? ((const clua_function *)context)->object : ((clua_box *)context)->object;
}

void clua_push_owning_function(lua_State *L, const clua_function *function) {
  clua_push_plain_box(L, function->object);
  clua_need(L, 2);
  lua_pushlightuserdata(L, (void *)function);
  lua_pushcclosure(L, owning_trampoline, 2);
}

void clua_write(const char *bytes, size_t count, bool is_error) {
  if (is_error) fflush(stdout);
  if (count) fwrite(bytes, 1, count, is_error ? stderr : stdout);
}

// MARK: - Opening and closing

/// Growth of Lua's heap after which memory is asked for.
enum { ASKED_EVERY = 1 << 20 };

/// Whether the heap may grow on. Refusing raises, which must not happen under a Swift frame: there Lua lives on what memory is always left over, and the
/// error is raised once the frame is gone.
static bool may_grow(clua_host *host) {
  if (trellis_memory_admits(host->unasked)) {
    host->unasked = 0;
    return true;
  }
  if (host->in_swift == 0) return false;
  host->unasked = 0;
  host->failure = "not enough memory";
  return true;
}

static void *allocate(void *data, void *block, size_t old_size, size_t new_size) {
  clua_host *host = data;
  if (new_size == 0) { free(block); return NULL; }
  size_t growth = !block ? new_size : new_size > old_size ? new_size - old_size : 0;
  host->unasked += growth;
  if (host->unasked > ASKED_EVERY && growth && !may_grow(host)) return NULL;
  void *result = realloc(block, new_size);
  // For a new object the old size tells what it is; 9 is an upvalue.
  if (!block && host->trace && result && (old_size == LUA_TTABLE || old_size == LUA_TFUNCTION || old_size == LUA_TTHREAD || old_size == 9))
    clua_trace_note_birth(host->trace, result);
  if (!result && growth == 0) return block;  // Lua counts on it that shrinking succeeds
  if (!result && host->in_swift > 0) clua_die("not enough memory");
  return result;
}

bool clua_admits(lua_State *L, size_t bytes) {
  if (trellis_memory_admits(bytes)) return true;
  clua_host_of(L)->failure = "not enough memory";
  return false;
}

bool clua_room(lua_State *L, int n) {
  if (lua_checkstack(L, n)) return true;
  clua_host_of(L)->failure = "stack overflow";
  return false;
}

void clua_die_without_room(void) { clua_die("stack overflow"); }

static int panic(lua_State *L) {
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error value is not a string";
  fprintf(stderr, "trellis: unprotected error (this is a fault of the host): %s\n", message);
  return 0;
}

static void warn_off(void *data, const char *message, int to_continue);
static void warn_on(void *data, const char *message, int to_continue);

static void warn_control(lua_State *L, const char *message) {
  if (strcmp(message, "@on") == 0) lua_setwarnf(L, warn_on, L);
  if (strcmp(message, "@off") == 0) lua_setwarnf(L, warn_off, L);
}
static void warn_off(void *data, const char *message, int to_continue) {
  if (!to_continue && message[0] == '@') warn_control(data, message);
}
static void warn_on(void *data, const char *message, int to_continue) {
  static bool continues;
  if (!continues && !to_continue && message[0] == '@') { warn_control(data, message); return; }
  fprintf(stderr, "%s%s%s", continues ? "" : "Lua warning: ", message, to_continue ? "" : "\n");
  continues = to_continue;
}

static int open_libraries(lua_State *L) {
  if (lua_toboolean(L, 1)) {
    lua_pushboolean(L, true);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  clua_make_interruptible(L);
  clua_text_only(L);
  lua_createtable(L, 0, 0);  // userdata by object, weak
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_unique);
  clua_open_anchors(L);
  clua_open_random(L);
  clua_open_patterns(L);
  clua_open_tables(L);
  clua_open_sizes(L);
  clua_capture_children(L);
  clua_trace_setup(L);
  return 0;
}

lua_State *clua_open(void *swift, clua_body body, clua_release give_back, int64_t base, bool ignore_environment) {
  dispatch = body;
  release = give_back;
  clua_host *host = calloc(1, sizeof *host);
  if (!host) return NULL;
  lua_State *L = lua_newstate(allocate, host);
  if (!L) { free(host); return NULL; }
  *(clua_host **)lua_getextraspace(L) = host;
  host->main = host->current = L;
  host->in_swift = 1;  // who opens the state is Swift
  host->swift = swift;
  host->base = host->limit = base;
  lua_atpanic(L, panic);
  lua_setwarnf(L, warn_off, L);
  lua_pushcfunction(L, open_libraries);
  lua_pushboolean(L, ignore_environment);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) { clua_close(L); return NULL; }
  return L;
}

clua_body clua_dispatch_by(clua_body body) {
  clua_body before = dispatch;
  dispatch = body;
  return before;
}

void clua_close(lua_State *L) {
  clua_host *host = clua_host_of(L);
  host->closed = true;
  lua_close(L);
  free(host);
}

const char *clua_release_text(void) { return LUA_RELEASE; }
