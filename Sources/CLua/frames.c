// What functions on the stack hold: when an error ends a top-level run, for the prompt's debug(), and while somebody looks into what runs.
#include "private.h"
#include <string.h>

static char key_frames;
enum { MOST_FRAMES = 30, MOST_LOCALS = 100 };

void clua_frames_keep(lua_State *L, bool keep) { clua_host_of(L)->keeps_frames = keep; }

/// Appends {name, value} for each named local of the frame to the table on top.
static void add_locals(lua_State *L, lua_Debug *frame) {
  const char *name;
  int count = 0;
  for (int i = 1; i < MOST_LOCALS && (name = lua_getlocal(L, frame, i)) != NULL; i++) {
    if (*name == '(') { lua_pop(L, 1); continue; }  // a temporary
    lua_createtable(L, 2, 0);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, ++count);
  }
}

/// Pushes what a frame is called. One that a tail call began has no name: then it is a global that holds its function.
static void push_name(lua_State *L, lua_Debug *frame) {
  if (*frame->what == 'm' || frame->name) {
    lua_pushstring(L, *frame->what == 'm' ? "main chunk" : frame->name);
    return;
  }
  lua_getinfo(L, "f", frame);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  for (lua_pushnil(L); lua_next(L, -2);) {
    const bool is_it = lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, -4);
    lua_pop(L, 1);
    if (!is_it) continue;
    lua_replace(L, -3);
    lua_pop(L, 1);
    return;
  }
  lua_pop(L, 2);
  lua_pushstring(L, "?");
}

static void add_frame(lua_State *L, lua_Debug *frame) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, frame->short_src);
  lua_setfield(L, -2, "source");
  lua_pushinteger(L, frame->currentline);
  lua_setfield(L, -2, "line");
  push_name(L, frame);
  lua_setfield(L, -2, "name");
  lua_newtable(L);
  add_locals(L, frame);
  lua_setfield(L, -2, "locals");
}

/// Appends the frames of a thread from a level on to the list on its top.
static void add_frames(lua_State *L, int level) {
  lua_Debug frame;
  for (int count = (int)lua_rawlen(L, -1); count < MOST_FRAMES && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "nSl", &frame);
    if (*frame.what == 'C') continue;
    add_frame(L, &frame);
    lua_rawseti(L, -2, ++count);
  }
}

void clua_note_frames(lua_State *L, int level) {
  if (!clua_host_of(L)->keeps_frames || !lua_checkstack(L, 12)) return;
  lua_newtable(L);
  add_frames(L, level);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_frames);
}

/// Pushes what the functions hold that run on the thread that is looked at, and on those that resumed it, down to the main thread.
static void push_running(lua_State *L, lua_State *looked_at) {
  const clua_host *host = clua_host_of(L);
  lua_newtable(L);
  for (int i = host->thread_count; i >= -1; i--) {
    lua_State *thread = i == host->thread_count ? looked_at : i < 0 ? host->main : host->threads[i];
    if (thread == L || (thread == looked_at && i < host->thread_count) || !lua_checkstack(thread, 12)) continue;
    lua_pushvalue(L, -1);
    lua_xmove(L, thread, 1);
    add_frames(thread, 0);
    lua_pop(thread, 1);
  }
}

void clua_frames_push(lua_State *L) {
  clua_need(L, 2);
  lua_State *looked_at = clua_host_of(L)->looked_at;
  if (looked_at) push_running(L, looked_at);
  else lua_rawgetp(L, LUA_REGISTRYINDEX, &key_frames);
}
