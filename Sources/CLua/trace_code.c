// Traces: the hook, which follows instructions and calls.
#include "trace.h"
#include <stdlib.h>
#include <string.h>

// MARK: - Instructions of Lua 5.4

enum {
  GETUPVAL = 9, SETUPVAL = 10, GETTABUP = 11, GETTABLE = 12, GETI = 13, GETFIELD = 14, SETTABUP = 15, SETTABLE = 16, SETI = 17, SETFIELD = 18,
  SELF = 20, MMBIN = 46, MMBINI = 47, MMBINK = 48, UNM = 49, BNOT = 50, LEN = 52, CONCAT = 53, EQ = 57, LT = 58, LE = 59, LTI = 62, LEI = 63, GTI = 64, GEI = 65,
  CALL = 68, TAILCALL = 69,
};
/// Metamethods in the order in which instructions number them.
static const char *const events[] = {
  "__index", "__newindex", "__gc", "__mode", "__len", "__eq", "__add", "__sub", "__mul", "__mod", "__pow", "__div", "__idiv", "__band", "__bor", "__bxor", "__shl", "__shr",
  "__unm", "__bnot", "__lt", "__le", "__concat", "__call", "__close",
};
static int op_of(uint32_t i) { return i & 0x7f; }
static int a_of(uint32_t i) { return i >> 7 & 0xff; }
static bool k_of(uint32_t i) { return i >> 15 & 1; }
static int b_of(uint32_t i) { return i >> 16 & 0xff; }
static int c_of(uint32_t i) { return i >> 24 & 0xff; }

/// The instruction that the frame of a hook is about to run, or that a frame further up is in the middle of.
static const uint32_t *instruction(const lua_Debug *ar) {
  // struct CallInfo { StkId func, top; struct CallInfo *previous, *next; union { struct { const Instruction *savedpc; ...
  const char *frame = (const char *)ar->i_ci;
  const uint32_t *next;
  memcpy(&next, frame + 4 * sizeof(void *), sizeof next);
  return next - 1;
}

bool clua_reads_method(lua_State *L, lua_Debug *frame) {
  return lua_getinfo(L, "S", frame) && *frame->what != 'C' && op_of(*instruction(frame)) == SELF;
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

void trace_forget(function_info *f) {
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
  if (!trace_is_born(t, lua_topointer(L, -1))) trace_note_holder(t, L);
  function_info *known = find(t, at);
  if (known && memcmp(known->code, known->copy, 4 * (size_t)known->count) == 0) return;
  if (known) {  // another function lies where that one lay
    trace_forget(known);
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
  if (f.dump) trace_forget(&f); else free(dump.data);
  t->broken = true;
  t->reason = trace_unlike;
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
      trace_note_upvalue(t, L, lua_gettop(L), b_of(i) + 1, op_of(i) == GETUPVAL ? READ_UPVALUE : WRITE_UPVALUE);
      break;
    case GETTABUP: case SETTABUP: {
      bool reads = op_of(i) == GETTABUP;
      int n = (reads ? b_of(i) : a_of(i)) + 1;
      lua_getinfo(L, "f", ar);
      trace_note_upvalue(t, L, lua_gettop(L), n, READ_UPVALUE);
      if (lua_getupvalue(L, -1, n) && push_constant(f, L, reads ? c_of(i) : b_of(i))) (reads ? trace_note_field : trace_note_set_field)(t, L);
      break;
    }
    case GETTABLE:
      if (lua_getlocal(L, ar, b_of(i) + 1) && lua_getlocal(L, ar, c_of(i) + 1)) trace_note_field(t, L);
      break;
    case GETI:
      if (lua_getlocal(L, ar, b_of(i) + 1)) { lua_pushinteger(L, c_of(i)); trace_note_field(t, L); }
      break;
    case GETFIELD:
      if (lua_getlocal(L, ar, b_of(i) + 1) && push_constant(f, L, c_of(i))) trace_note_field(t, L);
      break;
    case SELF:
      if (lua_getlocal(L, ar, b_of(i) + 1) && (k_of(i) ? push_constant(f, L, c_of(i)) : lua_getlocal(L, ar, c_of(i) + 1) != NULL)) trace_note_field(t, L);
      break;
    case SETTABLE:
      if (lua_getlocal(L, ar, a_of(i) + 1) && lua_getlocal(L, ar, b_of(i) + 1)) trace_note_set_field(t, L);
      break;
    case SETI:
      if (lua_getlocal(L, ar, a_of(i) + 1)) { lua_pushinteger(L, b_of(i)); trace_note_set_field(t, L); }
      break;
    case SETFIELD:
      if (lua_getlocal(L, ar, a_of(i) + 1) && push_constant(f, L, b_of(i))) trace_note_set_field(t, L);
      break;
    case MMBIN: case MMBINI: case MMBINK: {
      const char *event = c_of(i) < (int)(sizeof events / sizeof *events) ? events[c_of(i)] : "";
      if (lua_getlocal(L, ar, a_of(i) + 1)) trace_note_event(t, L, event);
      if (op_of(i) == MMBIN && lua_getlocal(L, ar, b_of(i) + 1)) trace_note_event(t, L, event);
      break;
    }
    case UNM: case BNOT:
      if (lua_getlocal(L, ar, b_of(i) + 1)) trace_note_event(t, L, op_of(i) == UNM ? "__unm" : "__bnot");
      break;
    case EQ: case LT: case LE: {
      const char *event = op_of(i) == EQ ? "__eq" : op_of(i) == LT ? "__lt" : "__le";
      if (lua_getlocal(L, ar, a_of(i) + 1)) trace_note_event(t, L, event);
      if (lua_getlocal(L, ar, b_of(i) + 1)) trace_note_event(t, L, event);
      break;
    }
    case LTI: case LEI: case GTI: case GEI:
      if (lua_getlocal(L, ar, a_of(i) + 1)) trace_note_event(t, L, op_of(i) == LTI || op_of(i) == GTI ? "__lt" : "__le");
      break;
    case CONCAT:
      for (int n = 0; n < b_of(i); n++) {
        if (lua_getlocal(L, ar, a_of(i) + n + 1)) trace_note_event(t, L, "__concat");
        lua_settop(L, top);
      }
      break;
    case CALL: case TAILCALL:
      if (lua_getlocal(L, ar, a_of(i) + 1)) trace_note_event(t, L, "__call");
      break;
    case LEN:
      if (lua_getlocal(L, ar, b_of(i) + 1)) { trace_note_event(t, L, "__len"); lua_settop(L, top); }
      if (lua_getlocal(L, ar, b_of(i) + 1) && lua_type(L, -1) == LUA_TTABLE && !trace_is_born(t, lua_topointer(L, -1))) {
        lua_pushvalue(L, -1);
        lua_pushlightuserdata(L, &clua_key_unique);  // stands for the length among the table's keys
        if (trace_first_time(t, L, READ_LENGTH)) {
          lua_pushvalue(L, -1);
          lua_pushinteger(L, 0);
          lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -3));
          trace_add(t, L, READ_LENGTH);
        }
      }
      break;
  }
  lua_settop(L, top);
}

void trace_hook(lua_State *L, lua_Debug *ar) {
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
  if (*ar->what == 'C') trace_on_native_call(t, L, ar, top + 1);
  else enter(t, L, instruction(ar), ar->isvararg);
  lua_settop(L, top);
}
