#pragma once
#include "CLua.h"
#include "CKernels.h"

/// Registry keys are the addresses of these.
extern char clua_key_traceback, clua_key_inner_value, clua_key_inner_traceback, clua_key_interrupt, clua_key_unique, clua_key_boxed;

/// Ends the process where neither going on nor raising is possible, by a signal that clua_crash_install's report follows.
_Noreturn void clua_die(const char *reason);
/// Arms the interrupt hook on `L`. Async-signal-safe as far as lua_sethook is.
void clua_arm(lua_State *L);
/// Called in a coroutine's resumer, the error value on top: keeps the coroutine's frames and then those of the resumer.
void clua_keep_coroutine_traceback(lua_State *L, lua_State *coroutine);
