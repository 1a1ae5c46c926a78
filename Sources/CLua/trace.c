// What a recorded function reads of Lua. While a trace is on, a hook looks at every instruction before it runs, and notes each field, global and upvalue
// that is read from what was there before, with its value, and each that is written. Later the values are compared: a plan is good for as long as
// they are what they were.
//
// Lua's debug interface tells a hook the function and its registers, not the instruction; that stands before `savedpc` in the frame's record, whose place in
// it has been the same in every release of Lua 5.4. Names of fields are constants of the function, which lua_dump gives. Both are checked by a
// small function at the first trace: on a Lua where they are elsewhere every trace says that it cannot be repeated, and all is recorded anew, slowly.
#define _GNU_SOURCE
#include "private.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// MARK: - What is noted

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

static const char unlike[] = "this Lua's code cannot be followed";

static size_t slot_of(const addresses *set, const void *address) {
  size_t hash = ((uintptr_t)address >> 4) * 0x9E3779B97F4A7C15ull;
  size_t at = hash >> 20 & (set->room - 1);
  while (set->slots[at] && set->slots[at] != address) at = (at + 1) & (set->room - 1);
  return at;
}

static bool contains(const addresses *set, const void *address) { return set->room && set->slots[slot_of(set, address)]; }

static bool insert(addresses *set, const void *address) {
  if (2 * (set->count + 1) > set->room) {
    addresses larger = {.room = set->room ? 2 * set->room : 256};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < set->room; i++) if (set->slots[i]) larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
    larger.count = set->count;
    free(set->slots);
    *set = larger;
  }
  size_t at = slot_of(set, address);
  if (!set->slots[at]) { set->slots[at] = address; set->count++; }
  return true;
}

void clua_trace_note_birth(clua_trace *trace, const void *block) {
  if (!insert(&trace->born, block)) { trace->broken = true; trace->reason = "there is not enough memory to follow it"; }
}

static bool is_born(const clua_trace *t, const void *object) { return contains(&t->born, object); }

/// Pushes what is known of the object on top, a table by key, in its place.
static void push_notes(clua_trace *t, lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->seen);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/// Whether the object and key on top are read for the first time, or written for the first time. What was written is the function's own: later reads of it
/// are no reading of what was there before. Pops both.
static bool first_time(clua_trace *t, lua_State *L, int kind) {
  lua_insert(L, -2);
  push_notes(t, L);
  // key, notes
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  lua_Integer before = lua_tointeger(L, -1);
  lua_pop(L, 1);
  bool is_first = kind >= WRITE_FIELD ? before <= WRITE_FIELD : before == 0;
  if (is_first) {
    lua_pushvalue(L, -2);
    lua_pushinteger(L, kind + 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return is_first;
}

static bool is_object(int type) { return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD; }

static unsigned char value_kind(lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TNIL ? VALUE_NIL : is_object(type) ? VALUE_OBJECT : VALUE_PLAIN;
}

/// Adds an entry of the object, key and value on top. Pops all three.
static void add(clua_trace *t, lua_State *L, int kind) {
  if (t->count == t->room) {
    int room = t->room ? 2 * t->room : 32;
    entry *larger = realloc(t->entries, (size_t)room * sizeof *larger);
    if (!larger) { t->reason = "there is not enough memory to follow it"; lua_pop(L, 3); return; }
    t->entries = larger;
    t->room = room;
  }
  t->entries[t->count] = (entry){.kind = kind, .value = value_kind(L, -1), .has_object_key = is_object(lua_type(L, -2))};
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
  for (int slot = 3; slot >= 1; slot--) {
    lua_pushvalue(L, -2 - (3 - slot));
    lua_rawseti(L, -2, 3 * t->count + slot);
  }
  t->count++;
  lua_pop(L, 4);
}

// MARK: - Reads and writes

static bool is_key(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNIL) return false;
  return lua_type(L, index) != LUA_TNUMBER || lua_rawequal(L, index, index);  // NaN is none
}

/// The table and the key on top are read: the table itself, and where it has nothing those that stand in for it. Pops both.
static void note_field(clua_trace *t, lua_State *L) {
  for (int depth = 0; depth < 64 && lua_type(L, -2) == LUA_TTABLE && is_key(L, -1); depth++) {
    bool is_old = !is_born(t, lua_topointer(L, -2));
    lua_pushvalue(L, -1);
    bool is_nil = lua_rawget(L, -3) == LUA_TNIL;
    if (is_old) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      if (first_time(t, L, READ_FIELD)) {
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        add(t, L, READ_FIELD);
      }
    }
    lua_pop(L, 1);
    if (!is_nil || !lua_getmetatable(L, -2)) break;
    // table, key, metatable
    if (is_old) {
      lua_pushvalue(L, -3);
      lua_pushlightuserdata(L, &clua_key_boxed);  // stands for the metatable among the table's keys
      if (first_time(t, L, READ_METATABLE)) {
        lua_pushvalue(L, -3);
        lua_pushinteger(L, 0);
        lua_pushvalue(L, -3);
        add(t, L, READ_METATABLE);
      }
    }
    lua_pushvalue(L, -1);
    lua_pushliteral(L, "__index");
    note_field(t, L);
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_remove(L, -2);
    lua_replace(L, -3);  // go on with what stands in
  }
  lua_pop(L, 2);
}

/// The table and the key on top are written. Pops both.
static void note_set_field(clua_trace *t, lua_State *L) {
  if (lua_type(L, -2) != LUA_TTABLE || !is_key(L, -1) || is_born(t, lua_topointer(L, -2))) { lua_pop(L, 2); return; }
  lua_pushvalue(L, -1);
  bool is_nil = lua_rawget(L, -3) == LUA_TNIL;
  lua_pop(L, 1);
  // What a metamethod does instead is seen when it does it.
  if (is_nil && luaL_getmetafield(L, -2, "__newindex") != LUA_TNIL) { lua_pop(L, 3); return; }
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  if (!first_time(t, L, WRITE_FIELD)) { lua_pop(L, 2); return; }
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  add(t, L, WRITE_FIELD);
}

/// An upvalue of the function at `function` is read or written. It is remembered by a function of before that has it too: one that is made while
/// tracing may soon be gone.
static void note_upvalue(clua_trace *t, lua_State *L, int function, int n, int kind) {
  void *id = lua_upvalueid(L, function, n);
  if (!id || is_born(t, id)) return;
  lua_pushlightuserdata(L, id);
  lua_pushinteger(L, 1);
  if (!first_time(t, L, kind)) return;
  lua_pushlightuserdata(L, id);
  push_notes(t, L);
  if (lua_rawgeti(L, -1, 2) == LUA_TFUNCTION) {
    lua_rawgeti(L, -2, 3);
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
    lua_pushvalue(L, function);
  }
  lua_remove(L, -2);
  lua_pushinteger(L, n);
  if (!lua_getupvalue(L, -2, n)) lua_pushnil(L);
  add(t, L, kind);
}

/// The function on top, one of before, has these upvalues.
static void note_holder(clua_trace *t, lua_State *L) {
  void *id;
  for (int n = 1; (id = lua_upvalueid(L, -1, n)) != NULL; n++) {
    lua_pushlightuserdata(L, id);
    push_notes(t, L);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, n);
    lua_rawseti(L, -2, 3);
    lua_pop(L, 1);
  }
}

/// All of a table is read, and of tables in it if `deep`. The table is on top and stays.
static void note_whole(clua_trace *t, lua_State *L, bool deep, int depth) {
  if (depth > 16) return;
  luaL_checkstack(L, 12, NULL);
  bool is_old = !is_born(t, lua_topointer(L, -1));
  lua_pushvalue(L, -1);
  lua_pushlightuserdata(L, t);  // stands for the whole among the table's keys
  if (!first_time(t, L, READ_COUNT)) return;
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, -2); count++) {
    if (is_old) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      note_field(t, L);
    }
    if (deep && lua_type(L, -1) == LUA_TTABLE) note_whole(t, L, deep, depth + 1);
    lua_pop(L, 1);
  }
  if (!is_old) return;
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 0);
  lua_pushinteger(L, count);
  add(t, L, READ_COUNT);
}

// MARK: - Instructions of Lua 5.4

enum {
  GETUPVAL = 9, SETUPVAL = 10, GETTABUP = 11, GETTABLE = 12, GETI = 13, GETFIELD = 14, SETTABUP = 15, SETTABLE = 16, SETI = 17, SETFIELD = 18,
  SELF = 20, LEN = 52,
};
static int op_of(uint32_t i) { return i & 0x7f; }
static int a_of(uint32_t i) { return i >> 7 & 0xff; }
static bool k_of(uint32_t i) { return i >> 15 & 1; }
static int b_of(uint32_t i) { return i >> 16 & 0xff; }
static int c_of(uint32_t i) { return i >> 24 & 0xff; }

/// The instruction that the frame of a hook is about to run.
static const uint32_t *instruction(const lua_Debug *ar) {
  // struct CallInfo { StkId func, top; struct CallInfo *previous, *next; union { struct { const Instruction *savedpc; ...
  const char *frame = (const char *)ar->i_ci;
  const uint32_t *next;
  memcpy(&next, frame + 4 * sizeof(void *), sizeof next);
  return next - 1;
}

// MARK: - Constants

typedef struct bytes {
  char *data;
  size_t count, room;
} bytes;

static int append(lua_State *L, const void *data, size_t count, void *into) {
  (void)L;
  bytes *b = into;
  if (b->count + count > b->room) {
    size_t room = 2 * (b->count + count) + 256;
    char *larger = realloc(b->data, room);
    if (!larger) return 1;
    b->data = larger;
    b->room = room;
  }
  memcpy(b->data + b->count, data, count);
  b->count += count;
  return 0;
}

typedef struct reader {
  const unsigned char *at, *end;
  bool failed;
} reader;

static const unsigned char *take(reader *r, size_t count) {
  if ((size_t)(r->end - r->at) < count) { r->failed = true; return NULL; }
  const unsigned char *at = r->at;
  r->at += count;
  return at;
}

/// Seven bits a byte, the most significant first, the last one marked.
static size_t number(reader *r) {
  size_t x = 0;
  for (const unsigned char *b; (b = take(r, 1));) {
    x = x << 7 | (*b & 0x7f);
    if (*b & 0x80) return x;
  }
  return 0;
}

/// Reads instructions and constants of a dumped function.
static bool parse(function_info *f, reader *r) {
  static const unsigned char head[] = {0x1b, 'L', 'u', 'a', 0x54, 0, 0x19, 0x93, '\r', '\n', 0x1a, '\n', 4, 8, 8};
  const unsigned char *start = take(r, sizeof head + 16 + 1);  // then an integer and a number, to compare, and the count of upvalues
  if (!start || memcmp(start, head, sizeof head) != 0) return false;
  size_t source = number(r);
  if (source) take(r, source - 1);
  number(r);  // lines
  number(r);
  take(r, 3);  // parameters, whether there are more, registers
  size_t count = number(r);
  const unsigned char *code = count <= 1 << 24 ? take(r, 4 * count) : NULL;
  if (!code) return false;
  f->count = (int)count;
  f->copy = malloc(4 * count);
  if (!f->copy) return false;
  memcpy(f->copy, code, 4 * count);
  size_t constants = number(r);
  if (r->failed || constants > 1 << 24) return false;
  f->constants = calloc(constants ? constants : 1, sizeof *f->constants);
  if (!f->constants) return false;
  f->constant_count = (int)constants;
  for (size_t i = 0; i < constants && !r->failed; i++) {
    const unsigned char *tag = take(r, 1);
    if (!tag) return false;
    switch (*tag) {
      case 0: case 1: case 17: break;  // nil, false, true
      case 3: case 19: take(r, 8); break;
      case 4: case 20: {
        size_t size = number(r);
        if (!size) return false;
        f->constants[i].bytes = (const char *)take(r, size - 1);
        f->constants[i].length = size - 1;
        break;
      }
      default: return false;
    }
  }
  return !r->failed;
}

static void forget(function_info *f) {
  free(f->copy);
  free(f->constants);
  free(f->dump);
}

/// The function whose instructions hold `at`, if it is known.
static function_info *find(clua_trace *t, const uint32_t *at) {
  for (int i = t->function_count - 1; i >= 0; i--) {
    function_info *f = t->functions + i;
    if (at >= f->code && at < f->code + f->count) return f;
  }
  return NULL;
}

/// A Lua function, on top, begins: learns its constants. Leaves it there.
static void enter(clua_trace *t, lua_State *L, const uint32_t *at, bool has_more) {
  if (!is_born(t, lua_topointer(L, -1))) note_holder(t, L);
  function_info *known = find(t, at);
  if (known && memcmp(known->code, known->copy, 4 * (size_t)known->count) == 0) return;
  if (known) {  // another function lies where that one lay
    forget(known);
    *known = t->functions[--t->function_count];
  }
  bytes dump = {0};
  function_info f = {0};
  if (lua_dump(L, append, &dump, 1) == 0) {
    reader r = {(unsigned char *)dump.data, (unsigned char *)dump.data + dump.count, false};
    f.dump = dump.data;
    if (parse(&f, &r)) {
      f.code = at - (has_more ? 1 : 0);
      if (f.count > 0 && memcmp(f.code, f.copy, 4 * (size_t)f.count) == 0) {
        if (t->function_count == t->function_room) {
          int room = t->function_room ? 2 * t->function_room : 16;
          function_info *larger = realloc(t->functions, (size_t)room * sizeof *larger);
          if (larger) { t->functions = larger; t->function_room = room; }
        }
        if (t->function_count < t->function_room) { t->functions[t->function_count++] = f; return; }
      }
    }
  }
  if (f.dump) forget(&f); else free(dump.data);
  t->broken = true;
  t->reason = unlike;
}

static bool push_constant(const function_info *f, lua_State *L, int i) {
  if (i >= f->constant_count || !f->constants[i].bytes) return false;
  lua_pushlstring(L, f->constants[i].bytes, f->constants[i].length);
  return true;
}

// MARK: - The hook

static void on_instruction(clua_trace *t, lua_State *L, lua_Debug *ar) {
  const uint32_t *at = instruction(ar);
  function_info *f = find(t, at);
  if (!f) return;  // a function that was running before the trace began
  uint32_t i = *at;
  int top = lua_gettop(L);
  switch (op_of(i)) {
    case GETUPVAL: case SETUPVAL:
      lua_getinfo(L, "f", ar);
      note_upvalue(t, L, lua_gettop(L), b_of(i) + 1, op_of(i) == GETUPVAL ? READ_UPVALUE : WRITE_UPVALUE);
      break;
    case GETTABUP: case SETTABUP: {
      bool reads = op_of(i) == GETTABUP;
      int n = (reads ? b_of(i) : a_of(i)) + 1;
      lua_getinfo(L, "f", ar);
      note_upvalue(t, L, lua_gettop(L), n, READ_UPVALUE);
      if (lua_getupvalue(L, -1, n) && push_constant(f, L, reads ? c_of(i) : b_of(i))) (reads ? note_field : note_set_field)(t, L);
      break;
    }
    case GETTABLE:
      if (lua_getlocal(L, ar, b_of(i) + 1) && lua_getlocal(L, ar, c_of(i) + 1)) note_field(t, L);
      break;
    case GETI:
      if (lua_getlocal(L, ar, b_of(i) + 1)) { lua_pushinteger(L, c_of(i)); note_field(t, L); }
      break;
    case GETFIELD:
      if (lua_getlocal(L, ar, b_of(i) + 1) && push_constant(f, L, c_of(i))) note_field(t, L);
      break;
    case SELF:
      if (lua_getlocal(L, ar, b_of(i) + 1) && (k_of(i) ? push_constant(f, L, c_of(i)) : lua_getlocal(L, ar, c_of(i) + 1) != NULL)) note_field(t, L);
      break;
    case SETTABLE:
      if (lua_getlocal(L, ar, a_of(i) + 1) && lua_getlocal(L, ar, b_of(i) + 1)) note_set_field(t, L);
      break;
    case SETI:
      if (lua_getlocal(L, ar, a_of(i) + 1)) { lua_pushinteger(L, b_of(i)); note_set_field(t, L); }
      break;
    case SETFIELD:
      if (lua_getlocal(L, ar, a_of(i) + 1) && push_constant(f, L, b_of(i))) note_set_field(t, L);
      break;
    case LEN:
      if (lua_getlocal(L, ar, b_of(i) + 1) && lua_type(L, -1) == LUA_TTABLE && !is_born(t, lua_topointer(L, -1))) {
        lua_pushvalue(L, -1);
        lua_pushlightuserdata(L, &clua_key_unique);  // stands for the length among the table's keys
        if (first_time(t, L, READ_LENGTH)) {
          lua_pushvalue(L, -1);
          lua_pushinteger(L, 0);
          lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -3));
          add(t, L, READ_LENGTH);
        }
      }
      break;
  }
  lua_settop(L, top);
}

/// What a C function is to a recording: one that is not known, that looks at its arguments and nothing else, that does not even do that, that changes its first
/// argument, that has a state which is nobody's, that resumes its first argument, that goes on with a state of its own.
enum { UNKNOWN = 0, LOOKS, PLAIN, MUTATES, STATEFUL, RESUMES, GOES_ON };

/// Whether a C function is one of this program, which takes care of itself.
static bool is_of_program(lua_CFunction function) {
  Dl_info its, own;
  return dladdr((void *)(uintptr_t)function, &its) && dladdr((void *)(uintptr_t)clua_trace_setup, &own) && its.dli_fbase == own.dli_fbase;
}

static int kind_of(lua_State *L, int function) {
  lua_CFunction c = lua_tocfunction(L, function);
  int kind = UNKNOWN;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_library) == LUA_TTABLE) {
    if (lua_rawgetp(L, -1, (const void *)(uintptr_t)c) == LUA_TNUMBER) kind = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (kind == UNKNOWN && is_of_program(c)) return clua_is_made_at_run_time(L, function) ? GOES_ON : LOOKS;
  return kind;
}

static void on_native_call(clua_trace *t, lua_State *L, lua_Debug *ar, int function) {
  int kind = kind_of(L, function);
  if (kind == PLAIN) return;
  if (kind == STATEFUL) { if (!t->reason) t->reason = "it reads a clock, a file or math.random"; return; }
  if (kind == UNKNOWN) { if (!t->reason) t->reason = "it calls a function of a C library, of which nothing is known"; return; }
  if (kind == GOES_ON && !is_born(t, lua_topointer(L, function))) { if (!t->reason) t->reason = "it goes on with an iterator or a coroutine of before"; return; }
  bool is_ours = clua_function_context(L, function) != NULL;
  for (int i = 0; i < ar->ntransfer; i++) {
    if (!lua_getlocal(L, ar, ar->ftransfer + i)) break;
    int type = lua_type(L, -1);
    bool is_old = (type == LUA_TTABLE || type == LUA_TFUNCTION) ? !is_born(t, lua_topointer(L, -1))
      : type == LUA_TTHREAD && !is_born(t, (const char *)lua_topointer(L, -1) - LUA_EXTRASPACE);
    if (kind == RESUMES && i == 0 && type == LUA_TTHREAD && is_old && !t->reason) t->reason = "it resumes a coroutine of before";
    if (type == LUA_TTABLE) {
      if (kind == MUTATES) {
        if (i == 0 && is_old) {
          if (!t->reason) t->reason = "it changes a table of before by a function of Lua's library";
          lua_pushvalue(L, -1);
          lua_pushinteger(L, 0);
          lua_pushnil(L);
          add(t, L, MUTATED);
        }
      } else {
        note_whole(t, L, is_ours, 0);
      }
    }
    lua_pop(L, 1);
  }
}

static void trace_hook(lua_State *L, lua_Debug *ar) {
  clua_trace *t = clua_host_of(L)->trace;
  if (trellis_interrupt_pending()) {
    clua_push_interrupt(L);
    lua_error(L);
  }
  if (!t || t->broken) { lua_sethook(L, NULL, 0, 0); return; }
  luaL_checkstack(L, 24, NULL);
  if (ar->event == LUA_HOOKCOUNT) { on_instruction(t, L, ar); return; }
  int top = lua_gettop(L);
  lua_getinfo(L, "fSur", ar);
  if (*ar->what == 'C') on_native_call(t, L, ar, top + 1);
  else enter(t, L, instruction(ar), ar->isvararg);
  lua_settop(L, top);
}

// MARK: - Traces

static clua_trace *make(lua_State *L) {
  clua_trace *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->main = clua_host_of(L)->main;
  clua_need(L, 4);
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  t->table = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_createtable(L, 0, 0);
  t->seen = luaL_ref(L, LUA_REGISTRYINDEX);
  return t;
}

/// Whether a small function is followed as it should be.
static int follows(lua_State *L) {
  static const char source[] = "local t, k, u = ... return function() local v = t.a t.b = t[k] u = t[1] return v, print end";
  if (luaL_loadstring(L, source) != LUA_OK) return lua_error(L);
  lua_createtable(L, 1, 2);
  lua_pushliteral(L, "key");
  lua_call(L, 2, 1);
  clua_trace *t = make(L);
  if (!t) return luaL_error(L, "not enough memory");
  clua_trace_begin(t, L);
  int failed = lua_pcall(L, 0, 0, 0);
  clua_trace_end(t, L);
  int reads = 0, writes = 0;
  for (int i = 0; i < t->count; i++) t->entries[i].kind < WRITE_FIELD ? reads++ : writes++;
  // t, a, k, t[k], 1, _ENV, print; b, u
  lua_pushboolean(L, !failed && !t->broken && !t->reason && reads == 7 && writes == 2);
  clua_trace_free(t, L);
  return 1;
}

static bool follows_nothing;
void clua_trace_follow(bool follow) { follows_nothing = !follow; }

clua_trace *clua_trace_new(lua_State *L) {
  static bool is_known, is_followed;
  if (!is_known) {
    clua_need(L, 4);
    clua_host *host = clua_host_of(L);
    clua_trace *outer = host->trace;
    lua_pushcfunction(L, follows);
    is_followed = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_pop(L, 1);
    host->trace = outer;
    is_known = true;
  }
  clua_trace *t = make(L);
  if (t && (!is_followed || follows_nothing)) { t->broken = true; t->reason = unlike; }
  return t;
}

void clua_trace_free(clua_trace *t, lua_State *L) {
  if (L) {
    luaL_unref(L, LUA_REGISTRYINDEX, t->table);
    if (!t->closed) luaL_unref(L, LUA_REGISTRYINDEX, t->seen);
  }
  for (int i = 0; i < t->function_count; i++) forget(t->functions + i);
  free(t->functions);
  free(t->born.slots);
  free(t->entries);
  free(t);
}

void clua_trace_begin(clua_trace *t, lua_State *L) {
  clua_host *host = clua_host_of(L);
  if (t->depth++ > 0) return;
  host->trace = t;
  if (!t->broken) lua_sethook(L, trace_hook, LUA_MASKCALL | LUA_MASKCOUNT, 1);
}

void clua_trace_end(clua_trace *t, lua_State *L) {
  if (--t->depth > 0) return;
  clua_host_of(L)->trace = NULL;
  if (lua_gethook(L) == trace_hook) lua_sethook(L, NULL, 0, 0);
}

const char *clua_trace_reason(const clua_trace *t) { return t->reason; }
int clua_trace_count(const clua_trace *t) { return t->count; }

/// Pushes slot 1, 2 or 3 of an entry.
static int push_slot(const clua_trace *t, lua_State *L, int i, int slot) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
  int type = lua_rawgeti(L, -1, 3 * i + slot);
  lua_remove(L, -2);
  return type;
}

/// Pushes what stands now where an entry is about; false, and nothing pushed, if nobody can reach it any more.
static bool push_now(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  if (push_slot(t, L, i, 1) == LUA_TNIL) { lua_pop(L, 1); return false; }
  switch (e->kind) {
    case READ_FIELD: case WRITE_FIELD:
      if (push_slot(t, L, i, 2) == LUA_TNIL) { lua_pop(L, 2); return false; }
      lua_rawget(L, -2);
      break;
    case READ_UPVALUE: case WRITE_UPVALUE: {
      push_slot(t, L, i, 2);
      int n = (int)lua_tointeger(L, -1);
      lua_pop(L, 1);
      if (!lua_getupvalue(L, -1, n)) lua_pushnil(L);
      break;
    }
    case READ_LENGTH: lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1)); break;
    case READ_METATABLE: if (!lua_getmetatable(L, -1)) lua_pushnil(L); break;
    case READ_COUNT: {
      lua_Integer count = 0;
      for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
      lua_pushinteger(L, count);
      break;
    }
    default: lua_pushnil(L);
  }
  lua_remove(L, -2);
  return true;
}

/// Whether what an entry noted is still so.
static bool is_same(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  if (!push_now(t, L, i)) return true;
  bool same;
  if (e->value == VALUE_NIL) {
    same = lua_isnil(L, -1);
  } else {
    // An object that is gone cannot be what stands there now.
    bool is_there = push_slot(t, L, i, 3) != LUA_TNIL;
    same = is_there && (lua_rawequal(L, -1, -2) || (lua_type(L, -1) == LUA_TNUMBER && !lua_rawequal(L, -1, -1) && !lua_rawequal(L, -2, -2)));
    // An object that was freed by hand cannot be used again.
    clua_box *box = same ? clua_to_any_box(L, -1) : NULL;
    if (box && !box->object) same = false;
    // 1 and 1.0 are equal, and print differently.
    if (same && lua_type(L, -1) == LUA_TNUMBER) same = lua_isinteger(L, -1) == lua_isinteger(L, -2);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return same;
}

int clua_trace_first_change(const clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  for (int i = 0; i < t->count; i++) {
    entry e = t->entries[i];
    if (e.kind < WRITE_FIELD) {
      if (!is_same(t, L, i)) return i;
    } else if (e.kind != MUTATED && e.value == VALUE_OBJECT) {  // gone, it cannot be written again
      bool is_there = push_slot(t, L, i, 3) != LUA_TNIL;
      lua_pop(L, 1);
      if (!is_there) return i;
    }
  }
  return -1;
}

/// Notes a value that a write left, as what later runs are to leave, or drops the entry if the value was there before.
void clua_trace_close(clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  int kept = 0;
  for (int i = 0; i < t->count; i++) {
    entry e = t->entries[i];
    bool drops = false;
    if (e.kind == WRITE_FIELD || e.kind == WRITE_UPVALUE) {
      drops = is_same(t, L, i) || !push_now(t, L, i);
      if (!drops) {
        e.value = value_kind(L, -1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 3 * i + 3);
        lua_pop(L, 1);
      }
    }
    if (drops) continue;
    if (kept != i) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
      for (int slot = 1; slot <= 3; slot++) {
        lua_rawgeti(L, -1, 3 * i + slot);
        lua_rawseti(L, -2, 3 * kept + slot);
      }
      lua_pop(L, 1);
    }
    t->entries[kept++] = e;
  }
  t->count = kept;
  luaL_unref(L, LUA_REGISTRYINDEX, t->seen);
  for (int i = 0; i < t->function_count; i++) forget(t->functions + i);
  free(t->functions);
  t->functions = NULL;
  t->function_count = t->function_room = 0;
  t->closed = true;
}

int clua_trace_add_write(clua_trace *t, lua_State *L) {
  clua_need(L, 8);
  lua_pushnil(L);
  add(t, L, WRITE_FIELD);
  return t->count - 1;
}

bool clua_trace_is_write(const clua_trace *t, int i) { return t->entries[i].kind == WRITE_FIELD || t->entries[i].kind == WRITE_UPVALUE; }
bool clua_trace_is_mutation(const clua_trace *t, int i) { return t->entries[i].kind == MUTATED; }
bool clua_trace_is_born(const clua_trace *t, lua_State *L, int index) { return is_born(t, lua_topointer(L, index)); }
int clua_trace_push_value(const clua_trace *t, lua_State *L, int i) { clua_need(L, 4); return push_slot(t, L, i, 3); }
int clua_trace_push_object(const clua_trace *t, lua_State *L, int i) { clua_need(L, 4); return push_slot(t, L, i, 1); }

bool clua_trace_write(const clua_trace *t, lua_State *L, int i) {
  clua_need(L, 8);
  push_slot(t, L, i, 3);
  return clua_trace_write_value(t, L, i);
}

bool clua_trace_write_value(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  clua_need(L, 8);
  if (push_slot(t, L, i, 1) == LUA_TNIL) { lua_pop(L, 2); return false; }
  int type = push_slot(t, L, i, 2);
  if (type == LUA_TNIL) { lua_pop(L, 3); return false; }
  // value, object, key
  lua_rotate(L, -3, -1);
  if (e->kind == WRITE_FIELD) {
    lua_rawset(L, -3);
    lua_pop(L, 1);
  } else {
    int n = (int)lua_tointeger(L, -2);
    lua_remove(L, -2);
    if (!lua_setupvalue(L, -2, n)) lua_pop(L, 1);
    lua_pop(L, 1);
  }
  return true;
}

/// "global 'tau'", "field 'tau'", "upvalue 'tau'", "a table's length". +1 value.
void clua_trace_describe(const clua_trace *t, lua_State *L, int i) {
  const entry *e = t->entries + i;
  clua_need(L, 8);
  push_slot(t, L, i, 1);
  push_slot(t, L, i, 2);
  switch (e->kind) {
    case READ_FIELD: case WRITE_FIELD: {
      lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
      bool is_global = lua_rawequal(L, -1, -3);
      lua_pop(L, 1);
      if (lua_type(L, -1) == LUA_TSTRING) lua_pushfstring(L, "%s '%s'", is_global ? "global" : "field", lua_tostring(L, -1));
      else if (lua_isinteger(L, -1)) lua_pushfstring(L, "element %I of a table", lua_tointeger(L, -1));
      else lua_pushliteral(L, "an element of a table");
      break;
    }
    case READ_UPVALUE: case WRITE_UPVALUE: {
      int n = (int)lua_tointeger(L, -1);
      const char *name = lua_type(L, -2) == LUA_TFUNCTION ? lua_getupvalue(L, -2, n) : NULL;
      if (name) { lua_pushfstring(L, "upvalue '%s'", *name ? name : "?"); lua_remove(L, -2); }
      else lua_pushliteral(L, "an upvalue");
      break;
    }
    case READ_LENGTH: case READ_COUNT: lua_pushliteral(L, "the size of a table"); break;
    default: lua_pushliteral(L, "a metatable"); break;
  }
  lua_replace(L, -3);
  lua_settop(L, lua_gettop(L) - 1);
}

// MARK: - Lua's library

/// The function on top, which goes, in the table at `table`.
static void classify_top(lua_State *L, int table, int kind) {
  lua_CFunction c = lua_tocfunction(L, -1);
  if (c) {
    lua_pushinteger(L, kind);
    lua_rawsetp(L, table, (const void *)(uintptr_t)c);
  }
  lua_pop(L, 1);
}

static void classify(lua_State *L, const char *library, const char *name, int kind) {
  if (*library) {
    if (lua_getglobal(L, library) != LUA_TTABLE) { lua_pop(L, 1); return; }
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
  } else {
    lua_getglobal(L, name);
  }
  classify_top(L, 1, kind);
}

/// Every function of the table on top, which goes, but for those that are known.
static void classify_all(lua_State *L, int kind) {
  if (lua_type(L, -1) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, -2); ) {
      lua_CFunction c = lua_tocfunction(L, -1);
      bool is_known = c && lua_rawgetp(L, 1, (const void *)(uintptr_t)c) != LUA_TNIL;
      if (c) lua_pop(L, 1);
      if (is_known) lua_pop(L, 1);
      else classify_top(L, 1, kind);
    }
  }
  lua_pop(L, 1);
}

/// The function that an iterator's maker gives for one argument, both on top.
static void classify_made(lua_State *L, int kind) {
  lua_call(L, 1, 1);
  classify_top(L, 1, kind);
}

void clua_trace_setup(lua_State *L) {
  static const struct { const char *library, *names; int kind; } library[] = {
    {"", "assert error getmetatable pcall xpcall print rawequal select tonumber tostring type pairs ipairs load require warn", PLAIN},
    {"", "next rawget rawlen", LOOKS}, {"table", "concat pack unpack", LOOKS},
    {"math", "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult", PLAIN},
    {"string", "byte char dump find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper", LOOKS},
    {"utf8", "char codepoint codes len offset", PLAIN},
    {"", "rawset setmetatable", MUTATES}, {"", "collectgarbage dofile loadfile", STATEFUL},
    {"table", "insert remove sort move", MUTATES},
    {"math", "random randomseed", STATEFUL},
    {"os", "clock date difftime execute exit getenv remove rename setlocale time tmpname", STATEFUL},
    {"io", "close flush input lines open output popen read tmpfile", STATEFUL}, {"io", "type write", PLAIN},
    {"coroutine", "create wrap isyieldable running status yield", PLAIN}, {"coroutine", "resume close", RESUMES},
    {"debug", "gethook getinfo getlocal getmetatable getregistry getupvalue traceback upvalueid", PLAIN},
    {"debug", "sethook setlocal setmetatable setupvalue upvaluejoin setuservalue", STATEFUL},
  };
  lua_settop(L, 0);
  lua_createtable(L, 0, 64);
  for (size_t i = 0; i < sizeof library / sizeof *library; i++) {
    char names[256];
    strncpy(names, library[i].names, sizeof names - 1);
    names[sizeof names - 1] = 0;
    for (char *rest = NULL, *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) classify(L, library[i].library, name, library[i].kind);
  }
  if (luaL_getmetatable(L, LUA_FILEHANDLE) == LUA_TTABLE && lua_getfield(L, -1, "__index") == LUA_TTABLE) {
    static const char *const reads[] = {"read", "lines", "seek"};
    for (int i = 0; i < 3; i++) {
      lua_getfield(L, -1, reads[i]);
      classify_top(L, 1, STATEFUL);
    }
    lua_pushvalue(L, -2);
    classify_all(L, PLAIN);
    classify_all(L, PLAIN);
  }
  lua_settop(L, 1);
  // Arithmetic of strings.
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) classify_all(L, LOOKS);
  // Iterators: those that keep their state elsewhere, and those that keep it.
  lua_getglobal(L, "ipairs");
  lua_pushvalue(L, 1);
  classify_made(L, LOOKS);
  lua_getglobal(L, "utf8");
  lua_getfield(L, -1, "codes");
  lua_pushliteral(L, "");
  classify_made(L, PLAIN);
  lua_getfield(L, -1, "codes");
  lua_pushliteral(L, "");
  lua_pushboolean(L, true);
  lua_call(L, 2, 1);
  classify_top(L, 1, PLAIN);
  lua_getglobal(L, "coroutine");
  lua_getfield(L, -1, "wrap");
  lua_getglobal(L, "print");
  classify_made(L, GOES_ON);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "gmatch");
  lua_pushliteral(L, "");
  lua_pushliteral(L, "");
  lua_call(L, 2, 1);
  classify_top(L, 1, GOES_ON);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_library);
}
