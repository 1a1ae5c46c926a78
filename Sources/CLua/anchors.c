// Anchors: Lua values that belong to a Swift object.
//
// In the registry they would be roots, and a cycle through both worlds (a module whose function captures the module) would live for
// ever. So they lie in a table, the object's anchor, and the anchor is a value of a table with weak keys, its holders: the userdata
// from which the object can be reached. Lua's collector then sees the whole cycle. A weak key goes when its userdata is freed, not when
// its finaliser runs, so that what is about to die can still be called by finalisers of scripts.
//
// Position 1 of the holders is for an anchor that no userdata holds: its object is new, or only Swift has it. Then it is a root.
#include "private.h"

enum { ROOT = 1 };

static char key_anchors, key_holders, key_results;

void clua_open_anchors(lua_State *L) {
  lua_createtable(L, 0, 0);  // holders by anchor
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_anchors);
  lua_createtable(L, 0, 1);  // the metatable of all holders
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_holders);
  lua_createtable(L, 0, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_results);
}

int clua_anchor_make(lua_State *L) {
  clua_need(L, 4);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_anchors);
  lua_createtable(L, 1, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_holders);
  lua_setmetatable(L, -2);
  lua_createtable(L, 4, 0);
  lua_rawseti(L, -2, ROOT);
  int anchor = luaL_ref(L, -2);
  lua_pop(L, 1);
  return anchor;
}

/// Pushes the holders of an anchor, or what is there in their place. +1 value.
static bool push_holders(lua_State *L, int anchor) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_anchors);
  bool found = lua_rawgeti(L, -1, anchor) == LUA_TTABLE;
  lua_remove(L, -2);
  return found;
}

/// Pushes the anchor of the holders on top; nil when none of them is left. +1 value.
static bool push_held(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -1) != LUA_TTABLE) continue;
    lua_remove(L, -2);
    return true;
  }
  lua_pushnil(L);
  return false;
}

bool clua_anchor_push(lua_State *L, int anchor) {
  clua_need(L, 4);
  int top = lua_gettop(L);
  if (push_holders(L, anchor) && push_held(L)) {
    lua_remove(L, -2);
    return true;
  }
  lua_settop(L, top);
  return false;
}

void clua_anchor_free(lua_State *L, int anchor) {
  clua_need(L, 5);
  // Its values are to go with the object, not with the last userdata that has held it.
  if (push_holders(L, anchor)) {
    for (lua_pushnil(L); lua_next(L, -2);) {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      lua_pushnil(L);
      lua_rawset(L, -4);
    }
  }
  lua_pop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_anchors);
  luaL_unref(L, -1, anchor);
  lua_pop(L, 1);
}

// MARK: - Holders

bool clua_knows_anchors(lua_State *L, int index) {
  clua_need(L, 1);
  bool known = lua_getiuservalue(L, index, 1) > LUA_TNIL;
  lua_pop(L, 1);
  return known;
}

void clua_hold_anchors(lua_State *L, int index, const int *anchors, int count) {
  index = lua_absindex(L, index);
  clua_need(L, 6);
  // The user value is what the userdata holds, for when it goes; true when it holds nothing.
  if (count == 0) lua_pushboolean(L, true); else lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    if (!push_holders(L, anchors[i])) { lua_pop(L, 1); lua_pushboolean(L, false); }
    else if (!push_held(L)) lua_pop(L, 1);
    else {
      lua_pushvalue(L, index);
      lua_insert(L, -2);
      lua_rawset(L, -3);
      lua_pushboolean(L, false);  // not nil: the place stays, so that nothing needs memory when it is filled again
      lua_rawseti(L, -2, ROOT);
    }
    lua_rawseti(L, -2, i + 1);
  }
  lua_setiuservalue(L, index, 1);
}

/// Takes the userdata at `index` out of the holders on top; true when the anchor is a root from now on.
static bool leave(lua_State *L, int index) {
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TTABLE) { lua_pop(L, 1); return false; }
  lua_pushvalue(L, index);
  lua_pushnil(L);
  lua_rawset(L, -4);
  lua_insert(L, -2);  // below the holders
  bool left = push_held(L);
  lua_pop(L, 1);
  lua_insert(L, -2);
  if (left) { lua_pop(L, 1); return false; }
  lua_rawseti(L, -2, ROOT);
  return true;
}

void clua_leave_anchors(lua_State *L, int index, void *object) {
  clua_need(L, 8);
  bool rooted = false;
  int list = lua_gettop(L) + 1, count = lua_getiuservalue(L, index, 1) == LUA_TTABLE ? (int)lua_rawlen(L, list) : 0;
  for (int i = 1; i <= count; i++) {
    if (lua_rawgeti(L, list, i) == LUA_TTABLE && leave(L, index)) rooted = true;
    lua_pop(L, 1);
  }
  clua_give_back(object);
  // A root that is still there belongs to an object that Swift has kept without saying so.
  for (int i = 1; rooted && i <= count; i++) {
    if (lua_rawgeti(L, list, i) == LUA_TTABLE && lua_rawgeti(L, -1, ROOT) == LUA_TTABLE) clua_host_of(L)->strays++;
    lua_settop(L, list);
  }
  lua_settop(L, list - 1);
}

// MARK: - Results that Swift has taken from Lua

void clua_keep_result(lua_State *L, int index) {
  if (!clua_to_any_box(L, index)) return;
  index = lua_absindex(L, index);
  clua_need(L, 2);
  bool holds = lua_getiuservalue(L, index, 1) == LUA_TTABLE;
  lua_pop(L, 1);
  if (!holds) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_results);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, ++clua_host_of(L)->results);
  lua_pop(L, 1);
}

void clua_drop_results(lua_State *L, int count) {
  clua_host *host = clua_host_of(L);
  clua_need(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_results);
  for (; host->results > count; host->results--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, host->results);
  }
  lua_pop(L, 1);
}
