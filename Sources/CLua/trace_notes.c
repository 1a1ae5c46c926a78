// Traces: what is noted of reads and writes.
#include "trace.h"
#include <stdlib.h>

static size_t slot_of(const addresses *set, const void *address) {
  size_t hash = ((uintptr_t)address >> 4) * 0x9E3779B97F4A7C15ull;
  size_t at = hash >> 20 & (set->room - 1);
  while (set->slots[at] && set->slots[at] != address) at = (at + 1) & (set->room - 1);
  return at;
}

static bool contains(const addresses *set, const void *address) { return set->room && set->slots[slot_of(set, address)]; }

bool trace_insert(addresses *set, const void *address) {
  if (2 * (set->count + 1) > set->room) {
    addresses larger = {.room = set->room ? 2 * set->room : 256};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < set->room; i++) if (set->slots[i]) larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
    larger.count = set->count;
    free(set->slots);
    *set = larger;
  }
  size_t at = slot_of(set, address);
  if (!set->slots[at]) { set->slots[at] = address; set->count++; }
  return true;
}

void clua_trace_note_birth(clua_trace *trace, const void *block) {
  if (!trace_insert(&trace->born, block)) { trace->broken = true; trace->reason = "there is not enough memory to follow it"; }
}

bool trace_is_born(const clua_trace *t, const void *object) { return contains(&t->born, object); }

/// Pushes what is known of the object on top, a table by key, in its place.
static void push_notes(clua_trace *t, lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->seen);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/// Whether the object and key on top are read for the first time, or written for the first time. What was written is the function's own: later reads of it
/// are no reading of what was there before. Pops both.
bool trace_first_time(clua_trace *t, lua_State *L, int kind) {
  lua_insert(L, -2);
  push_notes(t, L);
  // key, notes
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  lua_Integer before = lua_tointeger(L, -1);
  lua_pop(L, 1);
  bool is_first = kind >= WRITE_FIELD ? before <= WRITE_FIELD : before == 0;
  if (is_first) {
    lua_pushvalue(L, -2);
    lua_pushinteger(L, kind + 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return is_first;
}

static bool is_object(int type) { return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD; }

unsigned char trace_value_kind(lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TNIL ? VALUE_NIL : is_object(type) ? VALUE_OBJECT : VALUE_PLAIN;
}

/// Adds an entry of the object, key and value on top. Pops all three.
void trace_add(clua_trace *t, lua_State *L, int kind) {
  if (t->count == t->room) {
    int room = t->room ? 2 * t->room : 32;
    entry *larger = realloc(t->entries, (size_t)room * sizeof *larger);
    if (!larger) { t->reason = "there is not enough memory to follow it"; lua_pop(L, 3); return; }
    t->entries = larger;
    t->room = room;
  }
  t->entries[t->count] = (entry){.kind = kind, .value = trace_value_kind(L, -1), .has_object_key = is_object(lua_type(L, -2))};
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
  for (int slot = 3; slot >= 1; slot--) {
    lua_pushvalue(L, -2 - (3 - slot));
    lua_rawseti(L, -2, 3 * t->count + slot);
  }
  t->count++;
  lua_pop(L, 4);
}

// MARK: - Reads and writes

static bool is_key(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNIL) return false;
  return lua_type(L, index) != LUA_TNUMBER || lua_rawequal(L, index, index);  // NaN is none
}

/// The metatable of the table on top, which stays, is read.
void trace_note_metatable(clua_trace *t, lua_State *L) {
  if (lua_type(L, -1) != LUA_TTABLE || trace_is_born(t, lua_topointer(L, -1))) return;
  lua_pushvalue(L, -1);
  lua_pushlightuserdata(L, &clua_key_boxed);  // stands for the metatable among the table's keys
  if (!trace_first_time(t, L, READ_METATABLE)) return;
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 0);
  if (!lua_getmetatable(L, -3)) lua_pushnil(L);
  trace_add(t, L, READ_METATABLE);
}

/// The value on top, which stays, is an operand of what a metamethod may do: whether it has one is read.
void trace_note_event(clua_trace *t, lua_State *L, const char *event) {
  if (lua_type(L, -1) != LUA_TTABLE) return;
  trace_note_metatable(t, L);
  if (!lua_getmetatable(L, -1)) return;
  lua_pushstring(L, event);
  trace_note_field(t, L);
}

/// Puts what a metatable, on top, has as __index in its place, and notes that it was read.
static void read_index(clua_trace *t, lua_State *L) {
  lua_pushvalue(L, -1);
  lua_pushliteral(L, "__index");
  trace_note_field(t, L);
  lua_pushliteral(L, "__index");
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

/// The table and the key on top are read: the table itself, and where it has nothing those that stand in for it. Of a string, what strings have. Pops both.
void trace_note_field(clua_trace *t, lua_State *L) {
  if (lua_type(L, -2) == LUA_TSTRING && lua_getmetatable(L, -2)) {
    read_index(t, L);
    lua_replace(L, -3);
  }
  for (int depth = 0; depth < 64 && lua_type(L, -2) == LUA_TTABLE && is_key(L, -1); depth++) {
    bool is_old = !trace_is_born(t, lua_topointer(L, -2));
    lua_pushvalue(L, -1);
    bool is_nil = lua_rawget(L, -3) == LUA_TNIL;
    if (is_old) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      if (trace_first_time(t, L, READ_FIELD)) {
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        trace_add(t, L, READ_FIELD);
      }
    }
    lua_pop(L, 1);
    if (!is_nil) break;
    lua_pushvalue(L, -2);
    trace_note_metatable(t, L);
    lua_pop(L, 1);
    if (!lua_getmetatable(L, -2)) break;
    // table, key, metatable
    read_index(t, L);
    lua_replace(L, -3);  // go on with what stands in
  }
  lua_pop(L, 2);
}

/// The table and the key on top are written. Pops both.
void trace_note_set_field(clua_trace *t, lua_State *L) {
  if (lua_type(L, -2) != LUA_TTABLE || !is_key(L, -1) || trace_is_born(t, lua_topointer(L, -2))) { lua_pop(L, 2); return; }
  lua_pushvalue(L, -1);
  bool is_nil = lua_rawget(L, -3) == LUA_TNIL;
  lua_pop(L, 1);
  // What a metamethod does instead is seen when it does it.
  if (is_nil && luaL_getmetafield(L, -2, "__newindex") != LUA_TNIL) { lua_pop(L, 3); return; }
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  if (!trace_first_time(t, L, WRITE_FIELD)) { lua_pop(L, 2); return; }
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  trace_add(t, L, WRITE_FIELD);
}

/// An upvalue of the function at `function` is read or written. It is remembered by a function of before that has it too: one that is made while
/// tracing may soon be gone.
void trace_note_upvalue(clua_trace *t, lua_State *L, int function, int n, int kind) {
  void *id = lua_upvalueid(L, function, n);
  if (!id || trace_is_born(t, id)) return;
  lua_pushlightuserdata(L, id);
  lua_pushinteger(L, 1);
  if (!trace_first_time(t, L, kind)) return;
  lua_pushlightuserdata(L, id);
  push_notes(t, L);
  if (lua_rawgeti(L, -1, 2) == LUA_TFUNCTION) {
    lua_rawgeti(L, -2, 3);
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
    lua_pushvalue(L, function);
  }
  lua_remove(L, -2);
  lua_pushinteger(L, n);
  if (!lua_getupvalue(L, -2, n)) lua_pushnil(L);
  trace_add(t, L, kind);
}

/// The function on top, one of before, has these upvalues.
void trace_note_holder(clua_trace *t, lua_State *L) {
  void *id;
  for (int n = 1; (id = lua_upvalueid(L, -1, n)) != NULL; n++) {
    lua_pushlightuserdata(L, id);
    push_notes(t, L);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, n);
    lua_rawseti(L, -2, 3);
    lua_pop(L, 1);
  }
}

/// All of a table is read, and of tables in it if `deep`. The table is on top and stays.
void trace_note_whole(clua_trace *t, lua_State *L, bool deep, int depth) {
  if (depth > 16) return;
  luaL_checkstack(L, 12, NULL);
  bool is_old = !trace_is_born(t, lua_topointer(L, -1));
  lua_pushvalue(L, -1);
  lua_pushlightuserdata(L, t);  // stands for the whole among the table's keys
  if (!trace_first_time(t, L, READ_COUNT)) return;
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, -2); count++) {
    if (is_old) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      trace_note_field(t, L);
    }
    if (deep && lua_type(L, -1) == LUA_TTABLE) trace_note_whole(t, L, deep, depth + 1);
    lua_pop(L, 1);
  }
  if (!is_old) return;
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 0);
  lua_pushinteger(L, count);
  trace_add(t, L, READ_COUNT);
}
