// Lists of sizes: plain tables, but for what their metatable says where they have nothing.
#include "private.h"

/// __index: negative positions count from the end, as those of tensors do; 0 is a slip of who counts from 0 elsewhere.
static int index_sizes(lua_State *L) {
  const lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  if (!lua_isinteger(L, 2)) { lua_pushnil(L); return 1; }
  const lua_Integer position = lua_tointeger(L, 2);
  if (position == 0) return luaL_error(L, "sizes are counted from 1: the first is shape[1], the last shape[-1]");
  if (position < 0 && position >= -count) lua_rawgeti(L, 1, count + 1 + position);
  else lua_pushnil(L);
  return 1;
}

void clua_open_sizes(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, index_sizes);
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_sizes);
}

void clua_make_sizes(lua_State *L) {
  clua_need(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_sizes);
  lua_setmetatable(L, -2);
}

bool clua_is_sizes(lua_State *L, int index) {
  if (!lua_checkstack(L, 2) || lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_sizes);
  const bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}
