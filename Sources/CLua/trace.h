// Between the files of traces.
#pragma once
#include "private.h"

enum { READ_FIELD, READ_UPVALUE, READ_LENGTH, READ_COUNT, READ_METATABLE, WRITE_FIELD, WRITE_UPVALUE, MUTATED };
/// What stands in an entry's third slot: nothing for nil; an object may be gone.
enum { VALUE_NIL, VALUE_PLAIN, VALUE_OBJECT };

typedef struct entry {
  unsigned char kind, value;
  bool has_object_key;
} entry;

/// Constants of a function, and where its instructions lie.
typedef struct function_info {
  const uint32_t *code;
  int count;
  uint32_t *copy;
  struct { const char *bytes; size_t length; } *constants;
  int constant_count;
  char *dump;
} function_info;

/// A set of addresses, open addressing.
typedef struct addresses {
  const void **slots;
  size_t room, count;
} addresses;

struct clua_trace {
  lua_State *main;
  int table;           ///< registry: object, key and value of each entry, weakly held, so that a plan keeps nothing alive
  int seen;            ///< registry, while tracing: what was noted, by object
  entry *entries;
  int count, room;
  addresses born;      ///< objects made while tracing
  function_info *functions;
  int function_count, function_room;
  int depth;
  bool broken, closed;
  const char *reason;  ///< why the function cannot be repeated, or NULL
};

extern const char trace_unlike[];

/// False without memory.
bool trace_insert(addresses *set, const void *address);
/// Whether an object was made while tracing.
bool trace_is_born(const clua_trace *t, const void *object);
/// Whether the object and key on top are read for the first time, or written for the first time. What was written is the function's own: later reads of it
/// are no reading of what was there before. Pops both.
bool trace_first_time(clua_trace *t, lua_State *L, int kind);
/// Of the value at `index`.
unsigned char trace_value_kind(lua_State *L, int index);
/// Adds an entry of the object, key and value on top. Pops all three.
void trace_add(clua_trace *t, lua_State *L, int kind);
/// The metatable of the table on top, which stays, is read.
void trace_note_metatable(clua_trace *t, lua_State *L);
/// The value on top, which stays, is an operand of what a metamethod may do: whether it has one is read.
void trace_note_event(clua_trace *t, lua_State *L, const char *event);
/// The table and the key on top are read: the table itself, and where it has nothing those that stand in for it. Of a string, what strings have. Pops both.
void trace_note_field(clua_trace *t, lua_State *L);
/// The table and the key on top are written. Pops both.
void trace_note_set_field(clua_trace *t, lua_State *L);
/// An upvalue of the function at `function` is read or written. It is remembered by a function of before that has it too: one that is made while
/// tracing may soon be gone.
void trace_note_upvalue(clua_trace *t, lua_State *L, int function, int n, int kind);
/// The function on top, one of before, has these upvalues.
void trace_note_holder(clua_trace *t, lua_State *L);
/// All of a table is read, and of tables in it if `deep`. The table is on top and stays.
void trace_note_whole(clua_trace *t, lua_State *L, bool deep, int depth);
/// Frees what is known of a function.
void trace_forget(function_info *f);
/// What the hook does at a call of the C function at `function`.
void trace_on_native_call(clua_trace *t, lua_State *L, lua_Debug *ar, int function);
/// Follows a thread while a trace is on.
void trace_hook(lua_State *L, lua_Debug *ar);
