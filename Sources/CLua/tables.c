// table.concat, sort and move of large tables, and load of long texts, which Ctrl-C ends: those of Lua's library run within one C
// function, where no hook is called. What is small goes to them as it is.
#include "private.h"

enum { PIECE = 1 << 16 };  ///< elements, or bytes of a text, between two looks at the interrupt

static void look(lua_State *L) {
  if (trellis_interrupt_pending()) clua_raise_interrupt(L);
}

/// The length of the table at 1; -1 when a script's function would have to say it: the library asks it, once.
static lua_Integer plain_length(lua_State *L) {
  if (luaL_getmetafield(L, 1, "__len") == LUA_TNIL) return (lua_Integer)lua_rawlen(L, 1);
  lua_pop(L, 1);
  return -1;
}

/// The library's function, in the place of ours: its messages then name it.
static int library(lua_State *L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

// MARK: - concat

static int concat(lua_State *L) {
  // What is wrong with the arguments the library says.
  if (lua_type(L, 1) != LUA_TTABLE || !(lua_isnoneornil(L, 2) || lua_isstring(L, 2))) return library(L);
  int fine[] = {true, true};
  const lua_Integer first = lua_isnoneornil(L, 3) ? 1 : lua_tointegerx(L, 3, &fine[0]);
  const lua_Integer last = lua_isnoneornil(L, 4) ? plain_length(L) : lua_tointegerx(L, 4, &fine[1]);
  if (!fine[0] || !fine[1] || last < first || (lua_Unsigned)last - (lua_Unsigned)first < PIECE) return library(L);
  size_t gap;
  const char *separator = luaL_optlstring(L, 2, "", &gap);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = first;; i++) {
    if ((i & (PIECE - 1)) == 0) look(L);
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1)) {
      return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1), (LUAI_UACINT)i);
    }
    luaL_addvalue(&buffer);
    if (i == last) break;
    luaL_addlstring(&buffer, separator, gap);
  }
  luaL_pushresult(&buffer);
  return 1;
}

// MARK: - move

static int move(lua_State *L) {
  const lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3), target = luaL_checkinteger(L, 4);
  // The library says what is wrong with other tables, and with ranges that overflow.
  const bool plain = lua_type(L, 1) == LUA_TTABLE && (lua_isnoneornil(L, 5) || lua_type(L, 5) == LUA_TTABLE);
  if (!plain || from <= 0 || to < from || to - from < PIECE || target <= 0 || target > LUA_MAXINTEGER - (to - from)) return library(L);
  lua_settop(L, 5);
  if (lua_isnil(L, 5)) {
    lua_pushvalue(L, 1);
    lua_replace(L, 5);
  }
  const bool upwards = target <= from || target > to || !lua_compare(L, 1, 5, LUA_OPEQ);
  for (lua_Integer i = 0, last = to - from; i <= last; i++) {
    if ((i & (PIECE - 1)) == 0) look(L);
    const lua_Integer at = upwards ? i : last - i;
    lua_geti(L, 1, from + at);
    lua_seti(L, 5, target + at);
  }
  return 1;
}

// MARK: - sort

/// Whether element `i` is less than `j`; -1 stands for the pivot, which is on top.
static bool less(lua_State *L, lua_Integer i, lua_Integer j) {
  static unsigned calls;
  if ((++calls & 0xffff) == 0) look(L);
  int pivot = lua_gettop(L);
  if (i < 0) lua_pushvalue(L, pivot); else lua_geti(L, 1, i);
  if (j < 0) lua_pushvalue(L, pivot); else lua_geti(L, 1, j);
  bool result = lua_compare(L, -2, -1, LUA_OPLT);
  lua_settop(L, pivot);
  return result;
}

static void swap(lua_State *L, lua_Integer i, lua_Integer j) {
  lua_geti(L, 1, i);
  lua_geti(L, 1, j);
  lua_seti(L, 1, i);
  lua_seti(L, 1, j);
}

/// Quicksort around the middle element; only the smaller part recurses.
static void quicksort(lua_State *L, lua_Integer low, lua_Integer high) {
  luaL_checkstack(L, 8, "");
  while (low < high) {
    lua_geti(L, 1, low + (high - low) / 2);
    lua_Integer i = low, j = high;
    while (i <= j) {
      while (less(L, i, -1)) {
        if (i++ == high) luaL_error(L, "invalid order function for sorting");
      }
      while (less(L, -1, j)) {
        if (j-- == low) luaL_error(L, "invalid order function for sorting");
      }
      if (i <= j) swap(L, i++, j--);
    }
    lua_pop(L, 1);
    if (j - low < high - i) {
      quicksort(L, low, j);
      low = i;
    } else {
      quicksort(L, i, high);
      high = j;
    }
  }
}

static int sort(lua_State *L) {
  // An order function of a script is where hooks are called.
  if (lua_type(L, 1) != LUA_TTABLE || !lua_isnoneornil(L, 2)) return library(L);
  const lua_Integer count = plain_length(L);
  if (count < PIECE || count >= INT32_MAX) return library(L);
  lua_settop(L, 1);
  quicksort(L, 1, count);
  return 0;
}

// MARK: - load

/// Gives a text, the first upvalue, in pieces; the second is where the next begins.
static int next_piece(lua_State *L) {
  size_t length;
  const char *text = lua_tolstring(L, lua_upvalueindex(1), &length);
  const size_t start = (size_t)lua_tointeger(L, lua_upvalueindex(2)), size = length - start < PIECE ? length - start : PIECE;
  lua_pushinteger(L, (lua_Integer)(start + size));
  lua_replace(L, lua_upvalueindex(2));
  lua_pushlstring(L, text + start, size);
  return 1;
}

void clua_load_in_pieces(lua_State *L) {
  size_t length;
  if (lua_type(L, 1) != LUA_TSTRING || !lua_tolstring(L, 1, &length) || length < 16 * PIECE) return;
  if (lua_isnoneornil(L, 2)) {  // a text's name is the text
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
  }
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_piece, 2);  // a call of it is where the hook gets its chance
  lua_replace(L, 1);
}

void clua_open_tables(lua_State *L) {
  static const luaL_Reg functions[] = {{"concat", concat}, {"move", move}, {"sort", sort}, {NULL, NULL}};
  lua_getglobal(L, "table");
  for (const luaL_Reg *f = functions; f->name; f++) {
    lua_getfield(L, -1, f->name);
    lua_pushcclosure(L, f->func, 1);
    lua_setfield(L, -2, f->name);
  }
  lua_pop(L, 1);
}
