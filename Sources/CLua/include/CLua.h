// The only C of the host with control flow. Lua raises errors by longjmp, and none may cross a Swift frame: Swift bodies
// return a count or a code below zero, and the functions here raise once the Swift frame is gone. What Swift calls
// directly either cannot raise or runs in protected mode; each comment says which, and what is left on the stack.
#pragma once
#include <sys/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

// MARK: - The host's record, one for each Lua state

enum { CLUA_MAX_THREADS = 256 };

/// What the host knows of a function of its own: lives as long as Lua may call it.
typedef struct clua_function {
  const char *module, *name;  ///< for messages; the module or type may be ""
  int style;                  ///< about messages only
  void *object;               ///< the context of its Swift body
} clua_function;

enum {
  CLUA_FUNCTION = 0,
  CLUA_METHOD = 1,    ///< wants the object that it is read from as its first argument
  CLUA_OPERATOR = 2,  ///< arguments are operands
  CLUA_CALLABLE = 3,  ///< what __call runs: the value called is not an argument
  // The next two are called by functions of this library or of Lua's: the user's line is one level further down.
  CLUA_FIELD = 4,     ///< reads or sets the field it is named after, or is __tostring
  CLUA_KEY = 5,       ///< reads or sets any other key
};

typedef struct clua_host {
  lua_State *main;
  lua_State *current;   ///< the thread whose C function runs now; callbacks from Swift go there
  void *swift;          ///< the Swift object that owns the state
  int in_swift;         ///< above zero while a Swift frame stands between here and the nearest protected call
  const clua_function *function;  ///< whose Swift body runs now, for the report of a crash; NULL outside of all
  const char *failure;  ///< what could not be done where nothing can be raised: raised once the Swift frame is gone
  size_t unasked;       ///< bytes that Lua's heap has grown by since memory was last asked for
  lua_Hook hook;        ///< what the script's debug.sethook had put on `main` when an interrupt took its place
  int hook_mask, hook_count;
  int depth;            ///< nesting of top-level runs
  int results;          ///< values that clua_keep_result has kept
  bool keeps_frames;    ///< whether what functions held is kept when an error ends a top-level run
  bool closed;          ///< lua_close has begun: registry references must no longer be dropped
  int64_t objects;      ///< userdata of ours alive
  int64_t strays;       ///< anchors whose last userdata went before their objects: see anchors.c. 0 unless the host has a fault
  int64_t base, limit;  ///< bytes outside Lua's heap: smallest threshold, and the one in force
  int64_t collections;  ///< full collections made because of `limit`
  void (*loaded)(void *swift, const char *path);  ///< told of each file of Lua that a script loads; may be NULL
  bool (*look)(void *swift, lua_State *L);  ///< answers who looks into what runs; may be NULL
  bool is_looking;      ///< while it does
  struct clua_trace *trace;  ///< what a function that is being recorded reads of Lua; NULL while none is
  /// Coroutines being resumed, outermost first: the interrupt hook is armed on each.
  lua_State *threads[CLUA_MAX_THREADS];
  volatile int thread_count;
} clua_host;

/// A Swift body: the number of results on the stack, or one of the codes below.
typedef int (*clua_body)(lua_State *L, void *context);
/// Gives back one reference to a Swift object.
typedef void (*clua_release)(void *object);

enum {
  CLUA_MESSAGE = -1,      ///< a string is on top: raise it with the caller's position in front
  CLUA_VALUE = -2,        ///< any value is on top: raise it as it is
  CLUA_ARGUMENT = -3,     ///< a string and then the argument's stack index are on top: raise "bad argument #i to 'f' (...)"
  CLUA_INTERRUPTED = -4,  ///< raise the interrupt
};

/// A new state with the standard libraries, or NULL. `base`: bytes outside Lua's heap that start a collection.
lua_State *clua_open(void *swift, clua_body dispatch, clua_release release, int64_t base, bool ignore_environment);
void clua_close(lua_State *L);
/// Swift bodies are called by `dispatch` from now on; returns what called them before.
clua_body clua_dispatch_by(clua_body dispatch);

static inline clua_host *clua_host_of(lua_State *L) { return *(clua_host **)lua_getextraspace(L); }

// MARK: - Room on the stack

/// Slots that every Swift body finds free. What nests (tables in tables) asks for more by clua_room.
enum { CLUA_SLACK = 48 };

/// Whether there is room for `n` more values; if not, "stack overflow" is raised once the Swift frame is gone.
bool clua_room(lua_State *L, int n);
void clua_die_without_room(void);
/// Where the room must be there: ends the process without it.
static inline void clua_need(lua_State *L, int n) {
  if (__builtin_expect(!lua_checkstack(L, n), 0)) clua_die_without_room();
}
/// Whether `bytes` more may be taken; if not, "not enough memory" is raised once the Swift frame is gone.
bool clua_admits(lua_State *L, size_t bytes);
/// Whether something could not be done (memory, stack): the body had better come to its end.
static inline bool clua_failed(lua_State *L) { return clua_host_of(L)->failure != NULL; }

// MARK: - Functions and userdata

/// What every userdata of ours holds. `type` is the address of its type record in Swift, `object` a retained reference or NULL
/// once freed.
typedef struct clua_box {
  const void *type;
  void *object;
} clua_box;

/// Pushes a function that calls the body of `function` through the trampoline.
void clua_push_function(lua_State *L, const clua_function *function);
/// As clua_push_function, with `function->object` a retained object that the Lua function owns, and that owns `function`.
void clua_push_owning_function(lua_State *L, const clua_function *function);
/// The object of a function pushed by either, or NULL. Raises nothing.
void *clua_function_context(lua_State *L, int index);

/// The box at `index` if it is a userdata of ours of any type, else NULL. Raises nothing.
clua_box *clua_to_any_box(lua_State *L, int index);

/// The box at `index` if it is a userdata of `type`, else NULL. Raises nothing. The tag lies in the block, so a
/// metatable swapped by debug.setmetatable fools nobody.
static inline clua_box *clua_to_box(lua_State *L, int index, const void *type) {
  clua_box *box = (clua_box *)lua_touserdata(L, index);
  if (!box || lua_rawlen(L, index) != sizeof(clua_box)) return NULL;
  return box->type == type ? box : NULL;
}

/// Pushes a userdata that takes over one reference to `object`. +1 value. False if `type` has no metatable in this state.
/// `anchored`: it has room for what clua_hold_anchors notes.
static inline bool clua_push_box(lua_State *L, const void *type, void *object, bool anchored) {
  clua_need(L, 3);
  clua_box *box = (clua_box *)lua_newuserdatauv(L, sizeof(clua_box), anchored ? 1 : 0);
  box->type = type;
  box->object = object;
  clua_host_of(L)->objects++;
  bool known = lua_rawgetp(L, LUA_REGISTRYINDEX, type) == LUA_TTABLE;
  lua_setmetatable(L, -2);
  return known;
}
/// As clua_push_box, but an object that has a userdata already gets the same one (its reference is given back then).
bool clua_push_unique_box(lua_State *L, const void *type, void *object, bool anchored);
/// Releases the object of the userdata of ours at `index` and empties its box.
void clua_free_box(lua_State *L, int index);

/// Makes the metatable of `type` out of the values on the stack, in this order: table of methods, table of getters, table of
/// setters, function for other keys read or nil, function for other keys written or nil, function for keys that have nothing, table of further
/// metamethods. Pops them. The function for keys that have nothing gets the object, the key, and whether it is read to be called as a method.
void clua_make_type(lua_State *L, const void *type, const char *name);

// MARK: - Sizes

/// Gives the list on top the manners of sizes: position 0 is an error that says so, -1 is the last one.
void clua_make_sizes(lua_State *L);
/// Whether the table at `index` is such a list, which is plain data all the same.
bool clua_is_sizes(lua_State *L, int index);

// MARK: - Anchors: Lua values that belong to a Swift object. Out of memory apart, none of these raises.

/// Makes an anchor, an empty table that stays until it is held by a userdata, and from then on for as long as one holds it. Returns its number.
int clua_anchor_make(lua_State *L);
/// Pushes the anchor's table, +1 value. False, and nothing pushed, when it is gone.
bool clua_anchor_push(lua_State *L, int anchor);
/// Forgets the anchor and its values.
void clua_anchor_free(lua_State *L, int anchor);
/// Lets the anchored userdata at `index` hold these anchors: all that its object leads to.
void clua_hold_anchors(lua_State *L, int index, const int *anchors, int count);
/// Whether clua_hold_anchors was called for the userdata at `index`.
bool clua_knows_anchors(lua_State *L, int index);
/// Keeps the value at `index`, if it is a userdata that holds anchors, until the native function that runs now returns: Swift has it
/// from a call of Lua's, and no userdata may lead to it yet.
void clua_keep_result(lua_State *L, int index);

// MARK: - Small things that are macros or variadic in lua.h. None of them raises.

static inline int clua_registry(void) { return LUA_REGISTRYINDEX; }
static inline void clua_pop(lua_State *L, int n) { lua_settop(L, -n - 1); }
static inline void clua_insert(lua_State *L, int index) { lua_rotate(L, index, 1); }
static inline void clua_remove(lua_State *L, int index) { lua_rotate(L, index, -1); lua_settop(L, -2); }
static inline bool clua_is_none_or_nil(lua_State *L, int index) { return lua_type(L, index) <= 0; }
static inline void clua_push_nil(lua_State *L) { clua_need(L, 1); lua_pushnil(L); }
static inline void clua_push_number(lua_State *L, double x) { clua_need(L, 1); lua_pushnumber(L, x); }
static inline void clua_push_integer(lua_State *L, int64_t x) { clua_need(L, 1); lua_pushinteger(L, x); }
static inline void clua_push_boolean(lua_State *L, bool x) { clua_need(L, 1); lua_pushboolean(L, x); }
static inline void clua_push_copy(lua_State *L, int index) { clua_need(L, 1); lua_pushvalue(L, index); }
/// Large ones that cannot be had are left empty, and "not enough memory" is raised once the Swift frame is gone.
void clua_push_string(lua_State *L, const char *bytes, size_t count);
void clua_push_table(lua_State *L, int list, int fields);
static inline void clua_push_globals(lua_State *L) { clua_need(L, 1); lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS); }
/// Whether the number at `index` is stored as an integer.
static inline bool clua_is_integer(lua_State *L, int index) { return lua_isinteger(L, index); }
/// Bytes of a string at `index`; NULL when it is not a string (a number is not converted).
static inline const char *clua_bytes(lua_State *L, int index, size_t *count) {
  if (lua_type(L, index) != LUA_TSTRING) { *count = 0; return NULL; }
  return lua_tolstring(L, index, count);
}
/// Value of `name` in the table at `index`, without metamethods. +1 value.
void clua_raw_get(lua_State *L, int index, const char *name, size_t count);
/// Sets `name` in the table at `index` to the value on top, without metamethods. Pops it.
void clua_raw_set(lua_State *L, int index, const char *name, size_t count);
/// The name Lua's own messages use for the value at `index`: its __name, else its type ("no value" past the last argument).
const char *clua_type_name(lua_State *L, int index);
int64_t clua_heap_bytes(lua_State *L);
void clua_collect(lua_State *L);
/// Writes to C's stdout, or after flushing that to stderr: Lua's print uses the same streams.
void clua_write(const char *bytes, size_t count, bool is_error);

// MARK: - Protected calls

/// Calls the function under `arguments` values; status as lua_pcall. On failure the error value is on top and the traceback is
/// kept for clua_push_traceback. The only way from Swift into Lua.
int clua_pcall(lua_State *L, int arguments, int results);
/// Traceback of the last failed clua_pcall, host frames left out; nil if there is none. +1 value.
void clua_push_traceback(lua_State *L);
/// What __tostring gave for the error value of the last failed clua_pcall; nil for a value that is text or has none. +1 value.
void clua_push_error_text(lua_State *L);
/// Says that the value on top, about to be raised again, already has a traceback (on top of it). Pops that.
void clua_keep_traceback(lua_State *L);
/// t[key] with metamethods, key on top: replaced by the value or the error. Status as lua_pcall.
int clua_get(lua_State *L, int index);
/// tostring of the value at `index`, or the error's own text. +1 value, always a string.
void clua_push_tostring(lua_State *L, int index);
/// Pushes the compiled chunk or the message. Text only. Status as luaL_loadbufferx.
int clua_load(lua_State *L, const char *bytes, size_t count, const char *name);
/// As clua_load, from a file (NULL: standard input); a first line beginning with # is skipped.
int clua_load_file(lua_State *L, const char *path);
/// A C function that stores the caller's active local variables in the table that is its only upvalue. Pops the table, +1 value.
void clua_push_keeper(lua_State *L);

/// Whether what the functions on the stack held is kept when an error ends a top-level run.
void clua_frames_keep(lua_State *L, bool keep);
/// What was kept last, innermost first: a list of {source, line, name, locals = list of {name, value}}, or nil. +1 value.
void clua_frames_push(lua_State *L);

// MARK: - What a recorded function reads of Lua
// None of these raises, but for want of memory.

/// Fields, globals and upvalues of before that Lua code reads, with their values, and those that it writes. Holds nothing that it notes.
typedef struct clua_trace clua_trace;

/// For tests: false makes every trace one on a Lua whose code cannot be followed.
void clua_trace_follow(bool follow);
/// NULL when there is no memory.
clua_trace *clua_trace_new(lua_State *L);
/// `L` is NULL when the state is closed.
void clua_trace_free(clua_trace *trace, lua_State *L);
/// Between the two, what runs on `L` and on coroutines made meanwhile is noted. May be nested.
void clua_trace_begin(clua_trace *trace, lua_State *L);
void clua_trace_end(clua_trace *trace, lua_State *L);
/// After the last end: the values that writes left are noted as what a later run is to leave.
void clua_trace_close(clua_trace *trace, lua_State *L);
/// Why what ran cannot be taken as it was (it read a clock, say), or NULL.
const char *clua_trace_reason(const clua_trace *trace);

int clua_trace_count(const clua_trace *trace);
/// Whether entry i is a write, or a table of before that a function of Lua's library changed.
bool clua_trace_is_write(const clua_trace *trace, int i);
bool clua_trace_is_mutation(const clua_trace *trace, int i);
/// Pushes the value that a write left, or the table that was changed. +1 value; its type.
int clua_trace_push_value(const clua_trace *trace, lua_State *L, int i);
int clua_trace_push_object(const clua_trace *trace, lua_State *L, int i);
/// Whether the object at `index` was made while tracing. Until `clua_trace_close`.
bool clua_trace_is_born(const clua_trace *trace, lua_State *L, int index);
/// Writes again what entry i wrote, or with `clua_trace_write_value` the value on top, which is popped.
bool clua_trace_write(const clua_trace *trace, lua_State *L, int i);
bool clua_trace_write_value(const clua_trace *trace, lua_State *L, int i);
/// Adds an entry for the table and the key on top, which are popped, to write to. Its number.
int clua_trace_add_write(clua_trace *trace, lua_State *L);
/// The same for upvalue n of the function on top, which is popped.
int clua_trace_add_upvalue_write(clua_trace *trace, lua_State *L, int n);
/// The first entry whose value is another now; -1: none.
int clua_trace_first_change(const clua_trace *trace, lua_State *L);
/// "global 'tau'", "field 'tau'", "upvalue 'tau'". +1 value.
void clua_trace_describe(const clua_trace *trace, lua_State *L, int i);

// MARK: - Interrupts

/// SIGINT arms the hook of the running state. Where nothing looks for it, a second one says so and a third one ends the process.
void clua_interrupt_install(void);
/// Interrupts as SIGINT does; from whatever thread.
void clua_interrupt(void);
/// Whether pressing on counts for no more than once: a front end asks again and again, and nobody reads what would be said.
void clua_interrupt_patient(bool patient);
/// The same, also where the job that runs would stop by itself.
void clua_interrupt_at_once(void);
/// Between the two a first SIGINT makes trellis_stop_wanted true and no more: the job stops by itself, where it can be gone on with; a second one
/// interrupts it. When the outermost job has ended after it was asked to stop, what called it is interrupted.
void clua_stoppable_begin(void);
void clua_stoppable_end(void);
/// Raises an error as soon as Lua's code runs on: for what is called where no error can be raised.
void clua_raise_soon(lua_State *L, const char *message);
/// Interrupts as SIGINT does, once, after so many seconds; 0 takes that back.
void clua_interrupt_after(double seconds);
/// Top-level code begins or ends: between the two SIGINT raises an error that pcall cannot hold.
void clua_run_begin(lua_State *L);
/// Returns whether an interrupt came meanwhile, and forgets it.
bool clua_run_end(lua_State *L);
/// Pushes the distinguished error value of an interrupt. +1 value.
void clua_push_interrupt(lua_State *L);
/// Whether the value at `index` is that value.
bool clua_is_interrupt(lua_State *L, int index);
/// Replaces coroutine.resume, wrap and close by versions that know which threads run, and xpcall by one whose handler cannot hold an
/// interrupt.
void clua_make_interruptible(lua_State *L);
// MARK: - Looks

/// From now on SIGQUIT (Ctrl-\ on a terminal) asks to look into what runs.
void clua_look_install(void);
/// Asks as SIGQUIT does, from whatever thread; where nothing runs, for what runs next.
void clua_look_ask(void);
/// `look` answers what was asked for, on a coroutine of its own, `L`, that has its whole stack; false when it cannot now: it is called again. It must
/// not raise.
void clua_look_with(lua_State *L, bool (*look)(void *swift, lua_State *L));
/// Answers now, if it can, on behalf of what runs on `L`; whether there is nothing left to answer. In Swift: between two steps of a job, with a free slot
/// on the stack. Raises nothing.
bool clua_look_serve(lua_State *L);
/// Makes the table on top the globals of the chunk at `function`, and pops it; whether the chunk has any.
bool clua_environment_set(lua_State *L, int function);

/// `loaded` is told of each file that dofile, loadfile and require have compiled; it must not call Lua.
void clua_on_load(lua_State *L, void (*loaded)(void *swift, const char *path));
/// Replaces load, loadfile, dofile and require's search of Lua files by versions that take text only.
void clua_text_only(lua_State *L);

// MARK: - Crashes

/// Faults of the host say which function of the host was called, the signal, and `advice`; then the process dies by the signal. Also ignores SIGXFSZ, so
/// that a write beyond the limit of a file's size fails with an error.
void clua_crash_install(lua_State *L, const char *advice);

// MARK: - Streams of the host's own

/// Who gets what is written to C's stdout and stderr, and gives what is read from stdin.
typedef struct clua_streams {
  void *context;
  /// Takes all bytes, on whatever thread, and from several at once.
  void (*write)(void *context, const char *bytes, size_t count, bool is_error);
  /// As read(2): 0 at the end of input, -1 with errno. On the thread that reads.
  ssize_t (*read)(void *context, char *bytes, size_t room);
} clua_streams;

/// From now on C's streams, which Lua's, C's and Swift's prints go through, are these, and so is what children write. Before a Lua state is opened,
/// as that takes C's streams over. False with errno where it is not possible.
bool clua_capture_begin(const clua_streams *streams);
/// Hands on what children have written so far.
void clua_capture_flush(void);
/// Puts C's streams and the descriptors back; no Lua state opened meanwhile may be used any more.
void clua_capture_end(void);
/// Where the process's own last words go: 2, or its duplicate while children write elsewhere.
extern int clua_error_descriptor;

// MARK: - Lines from a terminal

enum { CLUA_COMPLETE_NOTHING = 0, CLUA_COMPLETE_FILES = 1 };
/// Adds candidates for the word line[start..<end] by clua_add_candidate, or says that file names are wanted. `start` -1: only the
/// question whether they are. Must not call Lua.
typedef int (*clua_completer)(const char *line, int start, int end);
void clua_add_candidate(const char *text);

void clua_line_setup(const char *name, clua_completer completer, bool to_stderr);

/// What is shown and done while an entry is typed on a terminal with colours. Texts that are returned live until the next call of the same function.
/// None may raise or run a script.
typedef struct clua_editor {
  /// Writes a class for each byte of the entry: ' ' plain, k keyword, s string, n number, m module, c comment, b bracket at the cursor.
  void (*classify)(const char *entry, int count, int cursor, char *classes);
  /// What an earlier entry that begins like this one goes on with, or NULL.
  const char *(*suggestion)(const char *entry, int count);
  /// What the function takes whose arguments the cursor is in, in one line, or NULL.
  const char *(*signature)(const char *entry, int count, int cursor);
  /// What Return does: -1 ends the entry, else the number of spaces that a next line begins with; `*dedent` of them go from the current one.
  int (*indentation)(const char *entry, int count, int cursor, int *dedent);
} clua_editor;
/// From now on entries are edited so. After clua_line_setup; what `editor` points to is copied.
void clua_line_edit_with(const clua_editor *editor);
typedef enum { CLUA_LINE_READ, CLUA_LINE_END, CLUA_LINE_INTERRUPTED } clua_line;
/// Reads one line into malloc'ed memory. Ctrl-C gives the line up.
clua_line clua_read_line(const char *prompt, char **text);
/// getline(3) on standard input.
ssize_t clua_piped_line(char **text, size_t *room);
/// What the arrow keys go through: at most so many entries of one or more lines.
void clua_history_setup(int entries);
void clua_history_add(const char *text);

/// "Lua 5.4.4".
const char *clua_release_text(void);
/// Readline's version: "8.2".
const char *clua_line_editor_version(void);
