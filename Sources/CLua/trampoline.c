// Trampolines: the C functions that Lua sees, each calling one Swift body and raising after its frame has returned.
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clua_body dispatch;
static clua_release release;

char clua_key_traceback, clua_key_inner_value, clua_key_inner_traceback, clua_key_interrupt, clua_key_unique, clua_key_boxed;

void clua_give_back(void *object) { release(object); }

/// What a userdata costs outside Lua's heap beside its tensor storage: the Swift object, its shape, its graph node.
enum { OBJECT_BYTES = 256 };

static int64_t external_bytes(clua_host *host) { return trellis_memory_live() + host->objects * OBJECT_BYTES; }

void clua_collect(lua_State *L) {
  clua_host *host = clua_host_of(L);
  lua_gc(L, LUA_GCCOLLECT, 0);
  int64_t live = external_bytes(host);
  host->limit = 2 * live > host->base ? 2 * live : host->base;
}

int64_t clua_heap_bytes(lua_State *L) { return (int64_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + lua_gc(L, LUA_GCCOUNTB, 0); }

// MARK: - Raising

/// Replaces the message on top by one with a position in front, and raises it. Fields are reached through a function of ours.
static int raise_message(lua_State *L) {
  luaL_where(L, lua_tointeger(L, lua_upvalueindex(3)) >= CLUA_FIELD ? 2 : 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

/// Name and number of an argument as luaL_argerror gives them, but with the registry's name in place of the caller's alias.
static int argument_error(lua_State *L) {
  int argument = (int)lua_tointeger(L, -1);
  const char *message = lua_tostring(L, -2);
  const char *name = lua_tostring(L, lua_upvalueindex(2));
  int style = (int)lua_tointeger(L, lua_upvalueindex(3));
  lua_Debug ar;
  if (style == CLUA_FUNCTION && lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && strcmp(ar.namewhat, "method") == 0) {
    argument--;
    if (argument == 0) {
      lua_pushfstring(L, "calling '%s' on bad self (%s)", name, message);
      return raise_message(L);
    }
  }
  if (style >= CLUA_FIELD && argument == 1) {  // the object itself: it has been freed
    lua_settop(L, -2);
    return raise_message(L);
  }
  switch (style) {
    case CLUA_OPERATOR: lua_pushfstring(L, "bad operand #%d to '%s' (%s)", argument, name, message); break;
    case CLUA_FIELD: lua_pushfstring(L, "bad value for field '%s' (%s)", name, message); break;
    case CLUA_KEY: lua_pushfstring(L, "bad %s (%s)", argument == 2 ? "index" : "value", message); break;
    case CLUA_CALLABLE: argument--;  // fall through
    default: lua_pushfstring(L, "bad argument #%d to '%s' (%s)", argument, name, message);
  }
  return raise_message(L);
}

int clua_raise(lua_State *L, int code) {
  luaL_checkstack(L, 4, NULL);
  switch (code) {
    case CLUA_ARGUMENT: return argument_error(L);
    case CLUA_INTERRUPTED: clua_push_interrupt(L); return lua_error(L);
    case CLUA_VALUE: return lua_error(L);
    default: return raise_message(L);
  }
}

/// Runs a Swift body, and raises what it says once its frame is gone.
static int run(lua_State *L, clua_host *host, void *context) {
  lua_State *caller = host->current;
  int results = host->results;
  host->current = L;
  host->in_swift++;
  int count = dispatch(L, context);
  host->in_swift--;
  host->current = caller;
  if (host->results > results) clua_drop_results(L, results);
  return count >= 0 ? count : clua_raise(L, count);
}

static int trampoline(lua_State *L) {
  clua_host *host = clua_host_of(L);
  // Here no Swift frame is above us, so finalisers may run; inside a body they had better not all run at once.
  if (external_bytes(host) > host->limit) {
    host->collections++;
    clua_collect(L);
  }
  return run(L, host, lua_touserdata(L, lua_upvalueindex(1)));
}

/// The same for a function made at run time, whose context is a userdata that owns it.
static int owning_trampoline(lua_State *L) {
  clua_box *box = lua_touserdata(L, lua_upvalueindex(1));
  if (!box->object) return luaL_error(L, "function called while the state closes");
  return run(L, clua_host_of(L), box->object);
}

void clua_push_function(lua_State *L, void *context, const char *name, int style) {
  lua_checkstack(L, 4);
  lua_pushlightuserdata(L, context);
  lua_pushstring(L, name);
  lua_pushinteger(L, style);
  lua_pushcclosure(L, trampoline, 3);
}

void *clua_function_context(lua_State *L, int index) {
  lua_CFunction function = lua_tocfunction(L, index);
  if (function != trampoline && function != owning_trampoline) return NULL;
  if (!lua_checkstack(L, 1) || !lua_getupvalue(L, index, 1)) return NULL;
  void *context = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return function == trampoline ? context : ((clua_box *)context)->object;
}

void clua_push_owning_function(lua_State *L, void *context, const char *name) {
  clua_push_plain_box(L, context);
  lua_checkstack(L, 2);
  lua_pushstring(L, name);
  lua_pushinteger(L, CLUA_FUNCTION);
  lua_pushcclosure(L, owning_trampoline, 3);
}

void clua_write(const char *bytes, size_t count, bool is_error) {
  if (is_error) fflush(stdout);
  if (count) fwrite(bytes, 1, count, is_error ? stderr : stdout);
}

// MARK: - Opening and closing

/// Running out of memory raises, which must not happen under a Swift frame: there it ends the process with a message.
static void *allocate(void *data, void *block, size_t old_size, size_t new_size) {
  (void)old_size;
  if (new_size == 0) { free(block); return NULL; }
  void *result = realloc(block, new_size);
  if (!result && ((clua_host *)data)->in_swift > 0) {
    fputs("trellis: not enough memory\n", stderr);
    _Exit(1);
  }
  return result;
}

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

void clua_close(lua_State *L) {
  clua_host *host = clua_host_of(L);
  host->closed = true;
  lua_close(L);
  free(host);
}

const char *clua_release_text(void) { return LUA_RELEASE; }
