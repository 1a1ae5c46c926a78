// math.random and math.randomseed, equal to those of Lua 5.4 but for where their state lies: the library's cannot be read, and a
// checkpoint has to keep it.
#include "private.h"
#include <time.h>

/// `bits` made into one of 0...most without bias: the lowest bits that `most` needs, drawn again while they are too large.
static uint64_t project(uint64_t bits, uint64_t most) {
  if ((most & (most + 1)) == 0) return bits & most;
  uint64_t mask = most;
  for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
  while ((bits &= mask) > most) bits = trellis_script_random_next();
  return bits;
}

static int math_random(lua_State *L) {
  int count = lua_gettop(L);
  uint64_t bits = trellis_script_random_next();
  if (count == 0) {
    lua_pushnumber(L, (double)(bits >> 11) * 0x1p-53);
    return 1;
  }
  if (count > 2) return luaL_error(L, "wrong number of arguments");
  lua_Integer low = count == 1 ? 1 : luaL_checkinteger(L, 1), high = luaL_checkinteger(L, count);
  if (count == 1 && high == 0) {
    lua_pushinteger(L, (lua_Integer)bits);
    return 1;
  }
  luaL_argcheck(L, low <= high, 1, "interval is empty");
  lua_pushinteger(L, (lua_Integer)(project(bits, (uint64_t)high - (uint64_t)low) + (uint64_t)low));
  return 1;
}

static int math_randomseed(lua_State *L) {
  bool any = lua_isnone(L, 1);
  lua_Integer first = any ? (lua_Integer)time(NULL) : luaL_checkinteger(L, 1);
  lua_Integer second = any ? (lua_Integer)(intptr_t)L : luaL_optinteger(L, 2, 0);
  trellis_script_random_seed((uint64_t)first, (uint64_t)second);
  lua_pushinteger(L, first);
  lua_pushinteger(L, second);
  return 2;
}

void clua_open_random(lua_State *L) {
  trellis_script_random_seed((uint64_t)time(NULL), (uint64_t)(uintptr_t)L);
  lua_getglobal(L, "math");
  lua_pushcfunction(L, math_random);
  lua_setfield(L, -2, "random");
  lua_pushcfunction(L, math_randomseed);
  lua_setfield(L, -2, "randomseed");
  lua_pop(L, 1);
}
