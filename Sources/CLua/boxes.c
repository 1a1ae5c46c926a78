// Userdata: what Lua sees of Swift objects, and the metatables of their types.
#include "private.h"
#include <string.h>

/// Metatables that hold boxes are marked, so that a foreign userdata of the same size is never read as one.
clua_box *clua_to_any_box(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_rawlen(L, index) != sizeof(clua_box)) return NULL;
  if (!lua_checkstack(L, 2) || !lua_getmetatable(L, index)) return NULL;
  bool marked = lua_rawgetp(L, -1, &clua_key_boxed) != LUA_TNIL;
  lua_pop(L, 2);
  return marked ? lua_touserdata(L, index) : NULL;
}

void clua_free_box(lua_State *L, int index) {
  clua_box *box = lua_touserdata(L, index);
  void *object = box->object;
  if (!object) return;
  box->object = NULL;
  clua_host_of(L)->objects--;
  clua_leave_anchors(L, index, object);
}

/// __gc and __close. Both may run, and scripts can hand over anything, so the tag is checked again.
static int collect_box(lua_State *L) {
  clua_box *box = lua_touserdata(L, 1);
  if (box && lua_rawlen(L, 1) == sizeof *box && box->type == lua_touserdata(L, lua_upvalueindex(1))) clua_free_box(L, 1);
  return 0;
}

void clua_push_plain_box(lua_State *L, void *object) {
  static const char tag;
  clua_need(L, 4);
  if (clua_push_box(L, &tag, object, true)) return;
  lua_createtable(L, 0, 1);
  lua_pushlightuserdata(L, (void *)&tag);
  lua_pushcclosure(L, collect_box, 1);
  lua_setfield(L, -2, "__gc");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tag);
  lua_setmetatable(L, -2);
}

bool clua_push_unique_box(lua_State *L, const void *type, void *object, bool anchored) {
  clua_need(L, 5);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_unique);
  if (lua_rawgetp(L, -1, object) == LUA_TUSERDATA) {
    clua_box *known = lua_touserdata(L, -1);
    // An address may have been used again by another object after the first was freed by hand.
    if (known->object == object && known->type == type) {
      lua_remove(L, -2);
      clua_give_back(object);
      return true;
    }
  }
  lua_pop(L, 1);
  bool known = clua_push_box(L, type, object, anchored);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, object);
  lua_remove(L, -2);
  return known;
}

/// What a key gives that has nothing: the fourth upvalue of __index says, or raises the error that helps.
static int index_nothing(lua_State *L) {
  lua_Debug caller;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(4));
  lua_insert(L, 1);
  lua_pushboolean(L, lua_getstack(L, 1, &caller) && clua_reads_method(L, &caller));
  lua_call(L, 3, 1);
  return 1;
}

/// __index: methods, then getters, then the type's own function for positions, then the one for what is not there. Upvalues: those four.
static int index_box(lua_State *L) {
  lua_settop(L, 2);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) {
      lua_pushvalue(L, 1);
      lua_call(L, 1, 1);
      return 1;
    }
    lua_settop(L, 2);
  }
  if (lua_isnil(L, lua_upvalueindex(3))) return index_nothing(L);
  lua_pushvalue(L, lua_upvalueindex(3));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return lua_isnil(L, -1) && lua_type(L, 2) == LUA_TSTRING ? index_nothing(L) : 1;
}

/// __newindex: setters, then the type's own function. Upvalues: setters, function, type name, getters.
static int newindex_box(lua_State *L) {
  lua_settop(L, 3);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
      lua_pushvalue(L, 1);
      lua_pushvalue(L, 3);
      lua_call(L, 2, 0);
      return 0;
    }
    lua_settop(L, 3);
  }
  if (!lua_isnil(L, lua_upvalueindex(2))) {
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
  }
  const char *type = lua_tostring(L, lua_upvalueindex(3));
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "a %s cannot be assigned to by position", type);
  lua_pushvalue(L, 2);
  bool readable = lua_rawget(L, lua_upvalueindex(4)) != LUA_TNIL;
  return luaL_error(L, readable ? "field '%s' of a %s can only be read" : "no field '%s' to set in a %s", lua_tostring(L, 2), type);
}

/// __eq: two userdata are equal when they stand for the same object.
static int equal_boxes(lua_State *L) {
  clua_box *a = clua_to_any_box(L, 1), *b = clua_to_any_box(L, 2);
  lua_pushboolean(L, a && b && a->object && a->object == b->object);
  return 1;
}

void clua_make_type(lua_State *L, const void *type, const char *name) {
  clua_need(L, 10);
  int further = lua_gettop(L), methods = further - 6, getters = further - 5, setters = further - 4;
  lua_createtable(L, 0, 16);
  int table = lua_gettop(L);
  lua_pushstring(L, name);
  lua_setfield(L, table, "__name");
  lua_pushstring(L, name);
  lua_setfield(L, table, "__metatable");
  lua_pushboolean(L, true);
  lua_rawsetp(L, table, &clua_key_boxed);
  lua_pushcfunction(L, equal_boxes);
  lua_setfield(L, table, "__eq");
  lua_pushlightuserdata(L, (void *)type);
  lua_pushcclosure(L, collect_box, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, table, "__gc");
  lua_setfield(L, table, "__close");
  lua_pushvalue(L, methods);
  lua_pushvalue(L, getters);
  lua_pushvalue(L, further - 3);
  lua_pushvalue(L, further - 1);
  lua_pushcclosure(L, index_box, 4);
  lua_setfield(L, table, "__index");
  lua_pushvalue(L, setters);
  lua_pushvalue(L, further - 2);
  lua_pushstring(L, name);
  lua_pushvalue(L, getters);
  lua_pushcclosure(L, newindex_box, 4);
  lua_setfield(L, table, "__newindex");
  for (lua_pushnil(L); lua_next(L, further);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, table);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, type);
  lua_settop(L, methods - 1);
}

void clua_adopt_box(lua_State *L, const void *type) {
  clua_need(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, type);
  lua_setmetatable(L, -2);
}

