// Looking into what runs: between two instructions of Lua, or where Swift says that no step is half done, what was asked for is answered on a coroutine
// of its own, on the same thread, and what runs goes on.
#include "private.h"

bool clua_look_serve(lua_State *L) {
  clua_host *host = clua_host_of(L);
  // A look would become part of what is recorded.
  if (!host->look || host->trace || host->is_looking || host->thread_count >= CLUA_MAX_THREADS || !lua_checkstack(L, 4)) return !host->look;
  lua_State *own = lua_newthread(L);
  lua_sethook(own, NULL, 0, 0);
  // An interrupt is to reach it.
  host->threads[host->thread_count++] = own;
  lua_State *current = host->current;
  const clua_function *function = host->function;
  host->current = own;
  host->function = NULL;
  const char *failure = host->failure;
  host->is_looking = true;
  host->in_swift++;
  bool served = true;
  while (served && trellis_look_wanted()) {
    trellis_look_set(false);
    served = host->look(host->swift, own);
  }
  if (!served) trellis_look_set(true);
  host->in_swift--;
  host->is_looking = false;
  host->failure = failure;
  host->function = function;
  host->current = current;
  host->thread_count--;
  lua_pop(L, 1);
  return served;
}

void clua_look_with(lua_State *L, bool (*look)(void *swift, lua_State *L)) { clua_host_of(L)->look = look; }

bool clua_environment_set(lua_State *L, int function) {
  // The first upvalue of a chunk is _ENV.
  const bool done = lua_setupvalue(L, function, 1) != NULL;
  if (!done) lua_pop(L, 1);
  return done;
}
