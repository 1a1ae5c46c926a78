// What a recorded function reads of Lua. While a trace is on, a hook looks at every instruction before it runs, and notes each field, global and upvalue
// that is read from what was there before, with its value, and each that is written. Later the values are compared: a plan is good for as long as
// they are what they were.
//
// Lua's debug interface tells a hook the function and its registers, not the instruction; that stands before `savedpc` in the frame's record, whose place in
// it has been the same in every release of Lua 5.4. Names of fields are constants of the function, which lua_dump gives. Both are checked by a
// small function at the first trace: on a Lua where they are elsewhere every trace says that it cannot be repeated, and all is recorded anew, slowly.
#include "trace.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char trace_unlike[] = "this Lua's code cannot be followed";

static clua_trace *make(lua_State *L) {
  clua_trace *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->main = clua_host_of(L)->main;
  clua_need(L, 4);
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  t->table = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_createtable(L, 0, 0);
  t->seen = luaL_ref(L, LUA_REGISTRYINDEX);
  return t;
}

/// Whether a small function is followed as it should be.
static int follows(lua_State *L) {
  static const char source[] = "local t, k, u = ... return function() local v = t.a t.b = t[k] u = t[1] return v, print end";
  if (luaL_loadstring(L, source) != LUA_OK) return lua_error(L);
  lua_createtable(L, 1, 2);
  lua_pushliteral(L, "key");
  lua_call(L, 2, 1);
  clua_trace *t = make(L);
  if (!t) return luaL_error(L, "not enough memory");
  clua_trace_begin(t, L);
  int failed = lua_pcall(L, 0, 0, 0);
  clua_trace_end(t, L);
  int reads = 0, writes = 0;
  for (int i = 0; i < t->count; i++) t->entries[i].kind < WRITE_FIELD ? reads++ : writes++;
  // t, a, its metatable, k, t[k], 1, _ENV, print; b, u
  lua_pushboolean(L, !failed && !t->broken && !t->reason && reads == 8 && writes == 2);
  clua_trace_free(t, L);
  return 1;
}

static bool follows_nothing;
void clua_trace_follow(bool follow) { follows_nothing = !follow; }

clua_trace *clua_trace_new(lua_State *L) {
  static bool is_known, is_followed;
  if (!is_known) {
    clua_need(L, 4);
    clua_host *host = clua_host_of(L);
    clua_trace *outer = host->trace;
    lua_pushcfunction(L, follows);
    is_followed = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_pop(L, 1);
    host->trace = outer;
    is_known = true;
  }
  clua_trace *t = make(L);
  if (t && (!is_followed || follows_nothing)) { t->broken = true; t->reason = trace_unlike; }
  return t;
}

void clua_trace_free(clua_trace *t, lua_State *L) {
  if (L) {
    luaL_unref(L, LUA_REGISTRYINDEX, t->table);
    if (!t->closed) luaL_unref(L, LUA_REGISTRYINDEX, t->seen);
  }
  for (int i = 0; i < t->function_count; i++) trace_forget(t->functions + i);
  free(t->functions);
  free(t->born.slots);
  free(t->entries);
  free(t);
}

void clua_trace_begin(clua_trace *t, lua_State *L) {
  clua_host *host = clua_host_of(L);
  if (t->depth++ > 0) return;
  host->trace = t;
  if (!t->broken) lua_sethook(L, trace_hook, LUA_MASKCALL | LUA_MASKCOUNT, 1);
}

void clua_trace_end(clua_trace *t, lua_State *L) {
  if (--t->depth > 0) return;
  clua_host_of(L)->trace = NULL;
  if (lua_gethook(L) == trace_hook) lua_sethook(L, NULL, 0, 0);
  if (trellis_look_wanted()) clua_arm(L);
}

const char *clua_trace_reason(const clua_trace *t) { return t->reason; }
int clua_trace_count(const clua_trace *t) { return t->count; }

/// Pushes slot 1, 2 or 3 of an entry.
static int push_slot(const clua_trace *t, lua_State *L, int i, int slot) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
  int type = lua_rawgeti(L, -1, 3 * i + slot);
  lua_remove(L, -2);
  return type;
}

/// Pushes what stands now where an entry is about; false, and nothing pushed, if nobody can reach it any more.
static bool push_now(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  if (push_slot(t, L, i, 1) == LUA_TNIL) { lua_pop(L, 1); return false; }
  switch (e->kind) {
    case READ_FIELD: case WRITE_FIELD:
      if (push_slot(t, L, i, 2) == LUA_TNIL) { lua_pop(L, 2); return false; }
      lua_rawget(L, -2);
      break;
    case READ_UPVALUE: case WRITE_UPVALUE: {
      push_slot(t, L, i, 2);
      int n = (int)lua_tointeger(L, -1);
      lua_pop(L, 1);
      if (!lua_getupvalue(L, -1, n)) lua_pushnil(L);
      break;
    }
    case READ_LENGTH: lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1)); break;
    case READ_METATABLE: if (!lua_getmetatable(L, -1)) lua_pushnil(L); break;
    case READ_COUNT: {
      lua_Integer count = 0;
      for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
      lua_pushinteger(L, count);
      break;
    }
    default: lua_pushnil(L);
  }
  lua_remove(L, -2);
  return true;
}

/// Whether what an entry noted is still so.
static bool is_same(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  if (!push_now(t, L, i)) return true;
  bool same;
  if (e->value == VALUE_NIL) {
    same = lua_isnil(L, -1);
  } else {
    // An object that is gone cannot be what stands there now.
    bool is_there = push_slot(t, L, i, 3) != LUA_TNIL;
    same = is_there && (lua_rawequal(L, -1, -2) || (lua_type(L, -1) == LUA_TNUMBER && !lua_rawequal(L, -1, -1) && !lua_rawequal(L, -2, -2)));
    // 0.0 and -0.0 are equal.
    if (same && lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) == 0) same = signbit(lua_tonumber(L, -1)) == signbit(lua_tonumber(L, -2));
    // An object that was freed by hand cannot be used again.
    clua_box *box = same ? clua_to_any_box(L, -1) : NULL;
    if (box && !box->object) same = false;
    // 1 and 1.0 are equal, and print differently.
    if (same && lua_type(L, -1) == LUA_TNUMBER) same = lua_isinteger(L, -1) == lua_isinteger(L, -2);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return same;
}

int clua_trace_first_change(const clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  for (int i = 0; i < t->count; i++) {
    entry e = t->entries[i];
    if (e.kind < WRITE_FIELD) {
      if (!is_same(t, L, i)) return i;
    } else if (e.kind != MUTATED && e.value == VALUE_OBJECT) {  // gone, it cannot be written again
      bool is_there = push_slot(t, L, i, 3) != LUA_TNIL;
      lua_pop(L, 1);
      if (!is_there) return i;
    }
  }
  return -1;
}

/// Notes the values that writes left, as what later runs are to leave; entries that nobody can reach any more go.
void clua_trace_close(clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  int kept = 0;
  for (int i = 0; i < t->count; i++) {
    entry e = t->entries[i];
    bool drops = false;
    if (e.kind == WRITE_FIELD || e.kind == WRITE_UPVALUE) {
      drops = !push_now(t, L, i);
      if (!drops) {
        e.value = trace_value_kind(L, -1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 3 * i + 3);
        lua_pop(L, 1);
      }
    }
    if (drops) continue;
    if (kept != i) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
      for (int slot = 1; slot <= 3; slot++) {
        lua_rawgeti(L, -1, 3 * i + slot);
        lua_rawseti(L, -2, 3 * kept + slot);
      }
      lua_pop(L, 1);
    }
    t->entries[kept++] = e;
  }
  t->count = kept;
  luaL_unref(L, LUA_REGISTRYINDEX, t->seen);
  for (int i = 0; i < t->function_count; i++) trace_forget(t->functions + i);
  free(t->functions);
  t->functions = NULL;
  t->function_count = t->function_room = 0;
  t->closed = true;
}

int clua_trace_add_write(clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  lua_pushnil(L);
  trace_add(t, L, WRITE_FIELD);
  return t->count - 1;
}

int clua_trace_add_upvalue_write(clua_trace *t, lua_State *L, int n) {
  clua_need(L, 8);
  lua_pushinteger(L, n);
  lua_pushnil(L);
  trace_add(t, L, WRITE_UPVALUE);
  return t->count - 1;
}

bool clua_trace_is_write(const clua_trace *t, int i) { return t->entries[i].kind == WRITE_FIELD || t->entries[i].kind == WRITE_UPVALUE; }
bool clua_trace_is_mutation(const clua_trace *t, int i) { return t->entries[i].kind == MUTATED; }
bool clua_trace_is_born(const clua_trace *t, lua_State *L, int index) { return trace_is_born(t, lua_topointer(L, index)); }
int clua_trace_push_value(const clua_trace *t, lua_State *L, int i) { clua_need(L, 4); return push_slot(t, L, i, 3); }
int clua_trace_push_object(const clua_trace *t, lua_State *L, int i) { clua_need(L, 4); return push_slot(t, L, i, 1); }

bool clua_trace_write(const clua_trace *t, lua_State *L, int i) {
  clua_need(L, 8);
  push_slot(t, L, i, 3);
  return clua_trace_write_value(t, L, i);
}

bool clua_trace_write_value(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  clua_need(L, 8);
  if (push_slot(t, L, i, 1) == LUA_TNIL) { lua_pop(L, 2); return false; }
  int type = push_slot(t, L, i, 2);
  if (type == LUA_TNIL) { lua_pop(L, 3); return false; }
  // value, object, key
  lua_rotate(L, -3, -1);
  if (e->kind == WRITE_FIELD) {
    lua_rawset(L, -3);
    lua_pop(L, 1);
  } else {
    int n = (int)lua_tointeger(L, -2);
    lua_remove(L, -2);
    if (!lua_setupvalue(L, -2, n)) lua_pop(L, 1);
    lua_pop(L, 1);
  }
  return true;
}

/// "global 'tau'", "field 'tau'", "upvalue 'tau'", "a table's length". +1 value.
void clua_trace_describe(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  clua_need(L, 8);
  push_slot(t, L, i, 1);
  push_slot(t, L, i, 2);
  switch (e->kind) {
    case READ_FIELD: case WRITE_FIELD: {
      lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
      bool is_global = lua_rawequal(L, -1, -3);
      lua_pop(L, 1);
      if (lua_type(L, -1) == LUA_TSTRING) lua_pushfstring(L, "%s '%s'", is_global ? "global" : "field", lua_tostring(L, -1));
      else if (lua_isinteger(L, -1)) lua_pushfstring(L, "element %I of a table", lua_tointeger(L, -1));
      else lua_pushliteral(L, "an element of a table");
      break;
    }
    case READ_UPVALUE: case WRITE_UPVALUE: {
      int n = (int)lua_tointeger(L, -1);
      const char *name = lua_type(L, -2) == LUA_TFUNCTION ? lua_getupvalue(L, -2, n) : NULL;
      if (name) { lua_pushfstring(L, "upvalue '%s'", *name ? name : "?"); lua_remove(L, -2); }
      else lua_pushliteral(L, "an upvalue");
      break;
    }
    case READ_LENGTH: case READ_COUNT: lua_pushliteral(L, "the size of a table"); break;
    default: lua_pushliteral(L, "a metatable"); break;
  }
  lua_replace(L, -3);
  lua_settop(L, lua_gettop(L) - 1);
}
