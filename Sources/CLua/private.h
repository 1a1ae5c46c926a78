#pragma once
#include "CLua.h"
#include "CKernels.h"

/// Registry keys are the addresses of these.
extern char clua_key_traceback, clua_key_inner_value, clua_key_inner_traceback, clua_key_interrupt, clua_key_unique, clua_key_boxed,
  clua_key_library, clua_key_sizes;

/// Ends the process where neither going on nor raising is possible, by a signal that clua_crash_install's report follows.
_Noreturn void clua_die(const char *reason);
/// Arms the interrupt hook on `L`. Async-signal-safe as far as lua_sethook is.
void clua_arm(lua_State *L);
/// Arms the hook on all that runs, for a look; what is being recorded is left alone. Async-signal-safe as far as lua_sethook is.
void clua_look_arm(clua_host *host);
/// Called in a coroutine's resumer, the error value on top: keeps the coroutine's frames and then those of the resumer.
void clua_keep_coroutine_traceback(lua_State *L, lua_State *coroutine);
/// Learns which functions of Lua's library read a clock or change tables. Leaves the stack empty.
void clua_trace_setup(lua_State *L);
/// Whether the function at `index` is a Swift closure made at run time (an iterator, say), which may have a state of its own.
bool clua_is_made_at_run_time(lua_State *L, int index);
/// Told by the allocator of each table, function, upvalue and coroutine that is made while tracing.
void clua_trace_note_birth(clua_trace *trace, const void *block);

/// Keeps what the functions from `level` on held, where that is wanted.
void clua_note_frames(lua_State *L, int level);

/// Painting over what readline draws (paint.c): once; before each entry; before something else is written below the line; before the entry ends; after the
/// terminal was drawn anew.
void clua_paint_setup(const clua_editor *editor);
void clua_paint_begin(void);
void clua_paint_erase(void);
void clua_paint_finish(void);
void clua_paint_forget(void);
/// Keys of entries of several lines (keys.c): once; before each entry.
void clua_keys_setup(const clua_editor *editor);
void clua_keys_begin(void);

/// Gives back one reference to a Swift object.
void clua_give_back(void *object);
/// Pushes a userdata that owns `object` and can do nothing else. +1 value.
void clua_push_plain_box(lua_State *L, void *object);
/// Makes the tables that anchors lie in.
void clua_open_anchors(lua_State *L);
/// Gives back the object of the userdata at `index`, which is going; anchors that only it held become roots, for as long as their
/// objects live on.
void clua_leave_anchors(lua_State *L, int index, void *object);
/// Forgets what `clua_keep_result` kept, but for the first `count`.
void clua_drop_results(lua_State *L, int count);
/// Raises the interrupt. Does not return.
void clua_raise_interrupt(lua_State *L);
/// Replace functions of the library that can run for long by versions that an interrupt ends.
void clua_open_patterns(lua_State *L);
void clua_open_tables(lua_State *L);
/// For load: a long text, argument 1, becomes a function that gives it in pieces; argument 2 is there.
void clua_load_in_pieces(lua_State *L);
/// Whether the Lua function of a frame, found by lua_getstack, reads a field to call it as a method: x:f().
bool clua_reads_method(lua_State *L, lua_Debug *frame);
/// Makes the metatable of lists of sizes.
void clua_open_sizes(lua_State *L);
/// Replaces math.random and math.randomseed by versions whose state can be kept.
void clua_open_random(lua_State *L);
/// Where streams are captured: os.execute and io.popen hand on what their children wrote before they return, os.exit is an error.
void clua_capture_children(lua_State *L);
