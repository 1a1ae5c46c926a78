// Protected calls: the only way from Swift into Lua, and the few reads that may run a script's metamethods.
#include "private.h"
#include <string.h>

static char key_text;

/// Cuts the frames that every chunk has below it ("[C]: in ?"): they are the host's, not the user's.
static void push_user_traceback(lua_State *L, lua_State *of, int level) {
  luaL_traceback(L, of, NULL, level);
  static const char host_frame[] = "\n\t[C]: in ?";
  size_t length, tail = sizeof host_frame - 1;
  const char *text = lua_tolstring(L, -1, &length);
  while (length >= tail && memcmp(text + length - tail, host_frame, tail) == 0) length -= tail;
  lua_pushlstring(L, text, length);
  lua_remove(L, -2);
}

/// Keeps the text of an error value that is none, as `lua` gives it: asked for while the script's functions are still on the stack.
static void keep_text(lua_State *L) {
  lua_pushnil(L);
  if (lua_type(L, 1) != LUA_TSTRING && !clua_is_interrupt(L, 1) && luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
    lua_pushvalue(L, 1);
    const bool failed = lua_pcall(L, 1, 1, 0) != LUA_OK, is_text = lua_type(L, -1) == LUA_TSTRING;
    if (failed) lua_pushfstring(L, "(__tostring failed: %s)", is_text ? lua_tostring(L, -1) : luaL_typename(L, -1));
    else if (!is_text) lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_text);
  lua_settop(L, 1);
}

/// Runs where the error was raised, before the stack unwinds: keeps the traceback beside the value, which stays as it is.
static int message_handler(lua_State *L) {
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_inner_value);
  // An error that comes through a callback or a coroutine was raised further down than here.
  if (!lua_isnil(L, 2) && lua_rawequal(L, 1, 2)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_inner_traceback);
    lua_pushnil(L);  // used up: a later error may have the same text
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_inner_value);
  } else {
    clua_note_frames(L, 1);
    keep_text(L);
    push_user_traceback(L, L, 1);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_traceback);
  lua_settop(L, 1);
  return 1;
}

int clua_pcall(lua_State *L, int arguments, int results) {
  clua_host *host = clua_host_of(L);
  int handler = lua_gettop(L) - arguments;
  clua_need(L, 2);
  lua_pushcfunction(L, message_handler);
  lua_insert(L, handler);
  int in_swift = host->in_swift;
  lua_State *current = host->current;
  const clua_function *function = host->function;
  host->in_swift = 0;
  host->current = L;
  host->function = NULL;
  int status = lua_pcall(L, arguments, results, handler);
  host->in_swift = in_swift;
  host->current = current;
  host->function = function;
  lua_remove(L, handler);
  return status;
}

/// What may be large is made in protected mode, so that running out of memory is an error and no more.
enum { large = 1 << 16 };

/// Calls `make` (no arguments but `what`, one result); with no memory "" is set down instead, and an error raised later.
static bool made(lua_State *L, lua_CFunction make, void *what) {
  clua_host *host = clua_host_of(L);
  int in_swift = host->in_swift;
  lua_pushcfunction(L, make);
  lua_pushlightuserdata(L, what);
  host->in_swift = 0;
  int status = lua_pcall(L, 1, 1, 0);
  host->in_swift = in_swift;
  if (status == LUA_OK) return true;
  lua_pop(L, 1);
  host->failure = "not enough memory";
  return false;
}

struct bytes { const char *start; size_t count; };
static int make_string(lua_State *L) {
  struct bytes *bytes = lua_touserdata(L, 1);
  lua_pushlstring(L, bytes->start, bytes->count);
  return 1;
}

void clua_push_string(lua_State *L, const char *start, size_t count) {
  clua_need(L, 2);
  struct bytes bytes = {start, count};
  if (count < large) lua_pushlstring(L, start, count);
  else if (!made(L, make_string, &bytes)) lua_pushliteral(L, "");
}

struct sizes { int list, fields; };
static int make_table(lua_State *L) {
  struct sizes *sizes = lua_touserdata(L, 1);
  lua_createtable(L, sizes->list, sizes->fields);
  return 1;
}

void clua_push_table(lua_State *L, int list, int fields) {
  clua_need(L, 2);
  struct sizes sizes = {list, fields};
  if (list < large / 16 && fields < large / 64) lua_createtable(L, list, fields);
  else if (!made(L, make_table, &sizes)) lua_createtable(L, 0, 0);
}

void clua_push_traceback(lua_State *L) {
  clua_need(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_traceback);
}

void clua_push_error_text(lua_State *L) {
  lua_checkstack(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_text);
}

void clua_keep_traceback(lua_State *L) {
  clua_need(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_inner_traceback);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_inner_value);
}

void clua_keep_coroutine_traceback(lua_State *L, lua_State *coroutine) {
  luaL_checkstack(L, 6, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_inner_value);
  bool known = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  if (known) return;
  push_user_traceback(L, coroutine, 0);
  push_user_traceback(L, L, 1);
  const char *outer = lua_tostring(L, -1), *frames = strchr(outer, '\n');
  lua_pushstring(L, frames ? frames : "");
  lua_remove(L, -2);
  lua_concat(L, 2);
  clua_keep_traceback(L);
}

static int protected_get(lua_State *L) {
  lua_gettable(L, 1);
  return 1;
}

int clua_get(lua_State *L, int index) {
  index = lua_absindex(L, index);
  clua_need(L, 3);
  lua_pushcfunction(L, protected_get);
  lua_pushvalue(L, index);
  lua_rotate(L, -3, -1);
  return clua_pcall(L, 2, 1);
}

static int protected_tostring(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

void clua_push_tostring(lua_State *L, int index) {
  index = lua_absindex(L, index);
  clua_need(L, 3);
  lua_pushcfunction(L, protected_tostring);
  lua_pushvalue(L, index);
  if (clua_pcall(L, 1, 1) == LUA_OK) return;
  bool text = lua_type(L, -1) == LUA_TSTRING;
  if (clua_is_interrupt(L, -1)) lua_pushliteral(L, "(interrupted)");
  else lua_pushfstring(L, "(__tostring failed: %s)", text ? lua_tostring(L, -1) : luaL_typename(L, -1));
  lua_remove(L, -2);
}

void clua_raw_get(lua_State *L, int index, const char *name, size_t count) {
  index = lua_absindex(L, index);
  clua_need(L, 1);
  lua_pushlstring(L, name, count);
  lua_rawget(L, index);
}

void clua_raw_set(lua_State *L, int index, const char *name, size_t count) {
  index = lua_absindex(L, index);
  clua_need(L, 1);
  lua_pushlstring(L, name, count);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

const char *clua_type_name(lua_State *L, int index) {
  index = lua_absindex(L, index);
  clua_need(L, 3);
  // Not luaL_getmetafield: it is as safe, but leaves the name on the stack only if it is there.
  if (lua_getmetatable(L, index)) {
    lua_pushliteral(L, "__name");
    const char *name = lua_rawget(L, -2) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 2);
    if (name) return name;  // the metatable keeps it alive
  }
  return lua_type(L, index) == LUA_TLIGHTUSERDATA ? "light userdata" : luaL_typename(L, index);
}

// MARK: - Loading text

int clua_load(lua_State *L, const char *bytes, size_t count, const char *name) {
  clua_need(L, 1);
  // The compiler runs protected.
  clua_host *host = clua_host_of(L);
  int in_swift = host->in_swift;
  host->in_swift = 0;
  int status = luaL_loadbufferx(L, bytes, count, name, "t");
  host->in_swift = in_swift;
  return status;
}

static int load_file(lua_State *L) {
  if (luaL_loadfilex(L, lua_touserdata(L, 1), "t") != LUA_OK) return lua_error(L);
  return 1;
}

int clua_load_file(lua_State *L, const char *path) {
  clua_need(L, 2);
  lua_pushcfunction(L, load_file);
  lua_pushlightuserdata(L, (void *)path);
  clua_host *host = clua_host_of(L);
  int in_swift = host->in_swift;
  host->in_swift = 0;
  int status = lua_pcall(L, 1, 1, 0);
  host->in_swift = in_swift;
  return status;
}

/// load: the script's mode is not asked, since a binary chunk can corrupt the interpreter. Upvalue: the original.
static int load_text(lua_State *L) {
  bool has_environment = lua_gettop(L) >= 4;
  lua_settop(L, has_environment ? 4 : 3);
  lua_pushliteral(L, "t");
  lua_replace(L, 3);
  clua_load_in_pieces(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, has_environment ? 4 : 3, LUA_MULTRET);
  return lua_gettop(L);
}

void clua_on_load(lua_State *L, void (*loaded)(void *swift, const char *path)) { clua_host_of(L)->loaded = loaded; }

/// Tells the host of a file that was compiled; of standard input (NULL) it knows nothing.
static void tell_loaded(lua_State *L, const char *path) {
  const clua_host *host = clua_host_of(L);
  if (host->loaded && path) host->loaded(host->swift, path);
}

static int loadfile_text(lua_State *L) {
  bool has_environment = lua_gettop(L) >= 3;
  const bool path = lua_type(L, 1) == LUA_TSTRING;
  lua_settop(L, has_environment ? 3 : 2);
  lua_pushliteral(L, "t");
  lua_replace(L, 2);
  lua_pushvalue(L, 1);  // stays, for what is told
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 2);
  lua_call(L, has_environment ? 3 : 2, LUA_MULTRET);
  if (path && lua_isfunction(L, 2)) tell_loaded(L, lua_tostring(L, 1));
  lua_remove(L, 1);
  return lua_gettop(L);
}

static int dofile_continue(lua_State *L, int status, lua_KContext context) {
  (void)status; (void)context;
  return lua_gettop(L) - 1;
}

static int dofile_text(lua_State *L) {
  const char *path = luaL_optstring(L, 1, NULL);
  lua_settop(L, 1);
  if (luaL_loadfilex(L, path, "t") != LUA_OK) return lua_error(L);
  tell_loaded(L, path);
  lua_callk(L, 0, LUA_MULTRET, 0, dofile_continue);
  return dofile_continue(L, 0, 0);
}

/// The search for Lua files along package.path, as the standard one but reading text only. Upvalue: the package table.
static int search_text(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_getfield(L, lua_upvalueindex(1), "searchpath");
  lua_pushvalue(L, 1);
  lua_getfield(L, lua_upvalueindex(1), "path");
  if (lua_type(L, -1) != LUA_TSTRING) return luaL_error(L, "'package.path' must be a string");
  lua_call(L, 2, 2);
  if (lua_isnil(L, -2)) return 1;  // where it was looked for
  const char *path = lua_tostring(L, -2);
  if (luaL_loadfilex(L, path, "t") == LUA_OK) {
    tell_loaded(L, path);
    lua_pushstring(L, path);
    return 2;
  }
  return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path, lua_tostring(L, -1));
}

void clua_text_only(lua_State *L) {
  lua_getglobal(L, "load");
  lua_pushcclosure(L, load_text, 1);
  lua_setglobal(L, "load");
  lua_getglobal(L, "loadfile");
  lua_pushcclosure(L, loadfile_text, 1);
  lua_setglobal(L, "loadfile");
  lua_pushcfunction(L, dofile_text);
  lua_setglobal(L, "dofile");
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, search_text, 1);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

// MARK: - Locals at the prompt

static int keep_locals(lua_State *L) {
  lua_Debug ar;
  if (!lua_getstack(L, 1, &ar)) return 0;
  const char *name;
  for (int i = 1; (name = lua_getlocal(L, &ar, i)) != NULL; i++) {
    if (name[0] == '(') { lua_pop(L, 1); continue; }  // a temporary
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
  }
  return 0;
}

void clua_push_keeper(lua_State *L) { lua_pushcclosure(L, keep_locals, 1); }
