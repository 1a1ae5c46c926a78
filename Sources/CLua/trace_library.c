// Traces: what C functions, Lua's library first, are to a recording.
#define _GNU_SOURCE
#include "trace.h"
#include <dlfcn.h>
#include <string.h>

/// What a C function is to a recording: one that is not known, that looks at its arguments and nothing else, at the metatable of the first only, that does not even do that, that changes its first
/// argument, that has a state which is nobody's, that resumes its first argument, that goes on with a state of its own.
enum { UNKNOWN = 0, LOOKS, ASKS, PLAIN, MUTATES, STATEFUL, RESUMES, GOES_ON };

/// Whether a C function is one of this program, which takes care of itself. A recording asks tens of thousands of times, of some dozens of functions, and
/// `dladdr` goes through all symbols each time: functions of the program, which stay where they are, are remembered.
static bool is_of_program(lua_CFunction function) {
  enum { PLACES = 1024 };
  static _Thread_local lua_CFunction known[PLACES];
  lua_CFunction *place = &known[((uintptr_t)function >> 4) % PLACES];
  if (*place == function) return true;
  Dl_info its, own;
  bool is_ours = dladdr((void *)(uintptr_t)function, &its) && dladdr((void *)(uintptr_t)clua_trace_setup, &own) && its.dli_fbase == own.dli_fbase;
  if (is_ours) *place = function;
  return is_ours;
}

static int kind_of(lua_State *L, int function) {
  lua_CFunction c = lua_tocfunction(L, function);
  int kind = UNKNOWN;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_library) == LUA_TTABLE) {
    if (lua_rawgetp(L, -1, (const void *)(uintptr_t)c) == LUA_TNUMBER) kind = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (kind == UNKNOWN && is_of_program(c)) return clua_is_made_at_run_time(L, function) ? GOES_ON : LOOKS;
  return kind;
}

void trace_on_native_call(clua_trace *t, lua_State *L, lua_Debug *ar, int function) {
  int kind = kind_of(L, function);
  if (kind == STATEFUL) { if (!t->reason) t->reason = "it reads a clock, a file or math.random"; return; }
  if (kind == UNKNOWN) { if (!t->reason) t->reason = "it calls a function of a C library, of which nothing is known"; return; }
  if (kind == GOES_ON && !trace_is_born(t, lua_topointer(L, function))) { if (!t->reason) t->reason = "it goes on with an iterator or a coroutine of before"; return; }
  bool is_ours = clua_function_context(L, function) != NULL;
  for (int i = 0; i < ar->ntransfer; i++) {
    if (!lua_getlocal(L, ar, ar->ftransfer + i)) break;
    int type = lua_type(L, -1);
    trace_note_event(t, L, "__tostring");
    trace_note_event(t, L, "__pairs");
    bool is_old = (type == LUA_TTABLE || type == LUA_TFUNCTION) ? !trace_is_born(t, lua_topointer(L, -1))
      : type == LUA_TTHREAD && !trace_is_born(t, (const char *)lua_topointer(L, -1) - LUA_EXTRASPACE);
    if (kind == RESUMES && i == 0 && type == LUA_TTHREAD && is_old && !t->reason) t->reason = "it resumes a coroutine of before";
    if (kind == ASKS && i == 0) trace_note_metatable(t, L);
    if (type == LUA_TTABLE && kind != ASKS && kind != PLAIN) {
      if (kind == MUTATES) {
        if (is_old) {  // the first, or table.move's last
          if (!t->reason) t->reason = "it changes a table of before by a function of Lua's library";
          lua_pushvalue(L, -1);
          lua_pushinteger(L, 0);
          lua_pushnil(L);
          trace_add(t, L, MUTATED);
        }
      } else {
        trace_note_whole(t, L, is_ours, 0);
      }
    }
    lua_pop(L, 1);
  }
}

/// The function on top, which goes, in the table at `table`.
static void classify_top(lua_State *L, int table, int kind) {
  lua_CFunction c = lua_tocfunction(L, -1);
  if (c) {
    lua_pushinteger(L, kind);
    lua_rawsetp(L, table, (const void *)(uintptr_t)c);
  }
  lua_pop(L, 1);
}

static void classify(lua_State *L, const char *library, const char *name, int kind) {
  if (*library) {
    if (lua_getglobal(L, library) != LUA_TTABLE) { lua_pop(L, 1); return; }
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
  } else {
    lua_getglobal(L, name);
  }
  classify_top(L, 1, kind);
}

/// Every function of the table on top, which goes, but for those that are known.
static void classify_all(lua_State *L, int kind) {
  if (lua_type(L, -1) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, -2); ) {
      lua_CFunction c = lua_tocfunction(L, -1);
      bool is_known = c && lua_rawgetp(L, 1, (const void *)(uintptr_t)c) != LUA_TNIL;
      if (c) lua_pop(L, 1);
      if (is_known) lua_pop(L, 1);
      else classify_top(L, 1, kind);
    }
  }
  lua_pop(L, 1);
}

/// The function that an iterator's maker gives for one argument, both on top.
static void classify_made(lua_State *L, int kind) {
  lua_call(L, 1, 1);
  classify_top(L, 1, kind);
}

void clua_trace_setup(lua_State *L) {
  static const struct { const char *library, *names; int kind; } library[] = {
    {"", "assert error pcall xpcall print rawequal select tonumber tostring type pairs ipairs load require warn", PLAIN},
    {"", "next rawget rawlen", LOOKS}, {"", "getmetatable", ASKS}, {"debug", "getmetatable", ASKS}, {"table", "concat pack unpack", LOOKS},
    {"math", "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult", PLAIN},
    {"string", "byte char dump find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper", LOOKS},
    {"utf8", "char codepoint codes len offset", PLAIN},
    {"", "rawset setmetatable", MUTATES}, {"", "collectgarbage dofile loadfile", STATEFUL},
    {"table", "insert remove sort move", MUTATES},
    {"math", "random randomseed", STATEFUL},
    {"os", "clock date difftime execute exit getenv remove rename setlocale time tmpname", STATEFUL},
    {"io", "close flush input lines open output popen read tmpfile", STATEFUL}, {"io", "type write", PLAIN},
    {"coroutine", "create wrap isyieldable running status yield", PLAIN}, {"coroutine", "resume close", RESUMES},
    {"debug", "gethook getinfo getlocal getregistry getupvalue traceback upvalueid", PLAIN},
    {"debug", "sethook setlocal setmetatable setupvalue upvaluejoin setuservalue", STATEFUL},
  };
  lua_settop(L, 0);
  lua_createtable(L, 0, 64);
  for (size_t i = 0; i < sizeof library / sizeof *library; i++) {
    char names[256];
    strncpy(names, library[i].names, sizeof names - 1);
    names[sizeof names - 1] = 0;
    for (char *rest = NULL, *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) classify(L, library[i].library, name, library[i].kind);
  }
  if (luaL_getmetatable(L, LUA_FILEHANDLE) == LUA_TTABLE && lua_getfield(L, -1, "__index") == LUA_TTABLE) {
    static const char *const reads[] = {"read", "lines", "seek"};
    for (int i = 0; i < 3; i++) {
      lua_getfield(L, -1, reads[i]);
      classify_top(L, 1, STATEFUL);
    }
    lua_pushvalue(L, -2);
    classify_all(L, PLAIN);
    classify_all(L, PLAIN);
  }
  lua_settop(L, 1);
  // Arithmetic of strings.
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) classify_all(L, LOOKS);
  // Iterators: those that keep their state elsewhere, and those that keep it.
  lua_getglobal(L, "ipairs");
  lua_pushvalue(L, 1);
  classify_made(L, LOOKS);
  lua_getglobal(L, "utf8");
  lua_getfield(L, -1, "codes");
  lua_pushliteral(L, "");
  classify_made(L, PLAIN);
  lua_getfield(L, -1, "codes");
  lua_pushliteral(L, "");
  lua_pushboolean(L, true);
  lua_call(L, 2, 1);
  classify_top(L, 1, PLAIN);
  lua_getglobal(L, "coroutine");
  lua_getfield(L, -1, "wrap");
  lua_getglobal(L, "print");
  classify_made(L, GOES_ON);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "gmatch");
  lua_pushliteral(L, "");
  lua_pushliteral(L, "");
  lua_call(L, 2, 1);
  classify_top(L, 1, GOES_ON);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_library);
}
