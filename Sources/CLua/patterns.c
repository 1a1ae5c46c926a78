// string.find, match, gmatch, gsub and rep, which Ctrl-C ends. Those of Lua's library can run for hours within one C function, where
// no hook is called; these do the same, results and messages too, and ask for an interrupt every few thousand steps.
#define _GNU_SOURCE
#include "private.h"
#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

enum {
  UNCLOSED = -1,        ///< length of a capture that is not closed yet
  POSITION = -2,        ///< length of a capture that stands for a position
  MOST_CAPTURES = 32,
  MOST_DEPTH = 200,     ///< of the recursion: deeper patterns are refused
  MOST_BYTES = INT_MAX, ///< in a string that rep makes
  MOST_COPIED = 1 << 22, ///< bytes between two looks at the interrupt
};

typedef struct {
  lua_State *L;
  const char *subject, *subject_end, *pattern_end;
  int depth;
  unsigned steps;
  int count;  ///< of captures
  struct { const char *start; ptrdiff_t length; } captures[MOST_CAPTURES];
} matcher;

static inline int byte(const char *p) { return *(const unsigned char *)p; }

void clua_raise_interrupt(lua_State *L) {
  clua_push_interrupt(L);
  lua_error(L);
}

static inline void step(matcher *m) {
  if ((++m->steps & 0xfff) == 0 && trellis_interrupt_pending()) clua_raise_interrupt(m->L);
}

// MARK: - Single characters

/// The end of the item at `p`: a character, a class (%a), or a set ([a-z]).
static const char *item_end(matcher *m, const char *p) {
  const char first = *p++;
  if (first == '%') {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  if (*p == '^') p++;
  do {  // a ] that comes first is an element
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == '%' && p < m->pattern_end) p++;
  } while (*p != ']');
  return p + 1;
}

static bool in_class(int c, int class) {
  bool is;
  switch (tolower(class)) {
    case 'a': is = isalpha(c); break;
    case 'c': is = iscntrl(c); break;
    case 'd': is = isdigit(c); break;
    case 'g': is = isgraph(c); break;
    case 'l': is = islower(c); break;
    case 'p': is = ispunct(c); break;
    case 's': is = isspace(c); break;
    case 'u': is = isupper(c); break;
    case 'w': is = isalnum(c); break;
    case 'x': is = isxdigit(c); break;
    case 'z': is = c == 0; break;  // of Lua 5.1, still there
    default: return class == c;
  }
  return isupper(class) ? !is : is;
}

/// Whether `c` is in the set between `p`, its [, and `last`, its ].
static bool in_set(int c, const char *p, const char *last) {
  bool wanted = true;
  if (p[1] == '^') {
    wanted = false;
    p++;
  }
  while (++p < last) {
    if (*p == '%') {
      if (in_class(c, byte(++p))) return wanted;
    } else if (p[1] == '-' && p + 2 < last) {
      p += 2;
      if (byte(p - 2) <= c && c <= byte(p)) return wanted;
    } else if (byte(p) == c) {
      return wanted;
    }
  }
  return !wanted;
}

/// Whether the character at `s` is what the item from `p` to `end` stands for.
static bool one(matcher *m, const char *s, const char *p, const char *end) {
  if (s >= m->subject_end) return false;
  switch (*p) {
    case '.': return true;
    case '%': return in_class(byte(s), byte(p + 1));
    case '[': return in_set(byte(s), p, end - 1);
    default: return *p == *s;
  }
}

// MARK: - Matching

static const char *match(matcher *m, const char *s, const char *p);

static const char *balanced(matcher *m, const char *s, const char *p) {
  if (p >= m->pattern_end - 1) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (*s != *p) return NULL;
  int open = 1;
  while (++s < m->subject_end) {
    step(m);
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == *p) {
      open++;
    }
  }
  return NULL;
}

/// As many of the item as there are, then fewer, until the rest matches.
static const char *greedy(matcher *m, const char *s, const char *p, const char *end) {
  ptrdiff_t count = 0;
  for (; one(m, s + count, p, end); count++) step(m);
  for (; count >= 0; count--) {
    const char *rest = match(m, s + count, end + 1);
    if (rest) return rest;
  }
  return NULL;
}

/// As few of the item as the rest leaves.
static const char *lazy(matcher *m, const char *s, const char *p, const char *end) {
  for (;; s++) {
    const char *rest = match(m, s, end + 1);
    if (rest) return rest;
    if (!one(m, s, p, end)) return NULL;
  }
}

static const char *open_capture(matcher *m, const char *s, const char *p, ptrdiff_t length) {
  if (m->count >= MOST_CAPTURES) luaL_error(m->L, "too many captures");
  m->captures[m->count].start = s;
  m->captures[m->count].length = length;
  m->count++;
  const char *rest = match(m, s, p);
  if (!rest) m->count--;
  return rest;
}

static const char *close_capture(matcher *m, const char *s, const char *p) {
  int last = m->count - 1;
  while (last >= 0 && m->captures[last].length != UNCLOSED) last--;
  if (last < 0) luaL_error(m->L, "invalid pattern capture");
  m->captures[last].length = s - m->captures[last].start;
  const char *rest = match(m, s, p);
  if (!rest) m->captures[last].length = UNCLOSED;
  return rest;
}

/// What an earlier capture has, again.
static const char *repeated(matcher *m, const char *s, int digit) {
  int i = digit - '1';
  if (i < 0 || i >= m->count || m->captures[i].length == UNCLOSED) luaL_error(m->L, "invalid capture index %%%d", i + 1);
  size_t length = (size_t)m->captures[i].length;  // a position's is larger than any rest
  return (size_t)(m->subject_end - s) >= length && memcmp(m->captures[i].start, s, length) == 0 ? s + length : NULL;
}

/// Between a character outside of the set at `p` and one inside. Gives the end of the set.
static const char *frontier(matcher *m, const char *s, const char *p) {
  if (*p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
  const char *end = item_end(m, p);
  const int before = s == m->subject ? 0 : byte(s - 1);
  return !in_set(before, p, end - 1) && in_set(byte(s), p, end - 1) ? end : NULL;
}

/// The end of what the pattern from `p` on matches at `s`, or NULL.
static const char *match(matcher *m, const char *s, const char *p) {
  if (m->depth-- == 0) luaL_error(m->L, "pattern too complex");
  while (s && p != m->pattern_end) {
    step(m);
    if (*p == '(') {
      s = p[1] == ')' ? open_capture(m, s, p + 2, POSITION) : open_capture(m, s, p + 1, UNCLOSED);
      break;
    }
    if (*p == ')') {
      s = close_capture(m, s, p + 1);
      break;
    }
    if (*p == '$' && p + 1 == m->pattern_end) {
      if (s != m->subject_end) s = NULL;
      break;
    }
    if (*p == '%' && p[1] == 'b') {
      s = balanced(m, s, p + 2);
      p += 4;
      continue;
    }
    if (*p == '%' && p[1] == 'f') {
      p = frontier(m, s, p + 2);
      if (!p) s = NULL;
      continue;
    }
    if (*p == '%' && isdigit(byte(p + 1))) {
      s = repeated(m, s, p[1]);
      p += 2;
      continue;
    }
    const char *end = item_end(m, p);
    if (!one(m, s, p, end)) {
      if (*end != '*' && *end != '?' && *end != '-') s = NULL;
      p = end + 1;
      continue;
    }
    if (*end == '*') { s = greedy(m, s, p, end); break; }
    if (*end == '+') { s = greedy(m, s + 1, p, end); break; }
    if (*end == '-') { s = lazy(m, s, p, end); break; }
    if (*end == '?') {
      const char *rest = match(m, s + 1, end + 1);
      if (rest) { s = rest; break; }
      p = end + 1;
    } else {
      s++;
      p = end;
    }
  }
  m->depth++;
  return s;
}

static void prepare(matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern, size_t pattern_length) {
  m->L = L;
  m->subject = subject;
  m->subject_end = subject + length;
  m->pattern_end = pattern + pattern_length;
  m->steps = 0;
}

static const char *start_match(matcher *m, const char *s, const char *p) {
  m->count = 0;
  m->depth = MOST_DEPTH;
  return match(m, s, p);
}

// MARK: - Captures

/// Capture `i` of a match from `s` to `end`: its start and length; a position is pushed.
static ptrdiff_t capture(matcher *m, int i, const char *s, const char *end, const char **start) {
  if (i >= m->count) {
    if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
    *start = s;
    return end - s;
  }
  ptrdiff_t length = m->captures[i].length;
  *start = m->captures[i].start;
  if (length == UNCLOSED) luaL_error(m->L, "unfinished capture");
  if (length == POSITION) lua_pushinteger(m->L, *start - m->subject + 1);
  return length;
}

static void push_capture(matcher *m, int i, const char *s, const char *end) {
  const char *start;
  ptrdiff_t length = capture(m, i, s, end, &start);
  if (length != POSITION) lua_pushlstring(m->L, start, (size_t)length);
}

/// All captures; without any the whole match, unless `s` is NULL.
static int push_captures(matcher *m, const char *s, const char *end) {
  int count = m->count == 0 && s ? 1 : m->count;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) push_capture(m, i, s, end);
  return count;
}

// MARK: - find, match, gmatch

/// Where a search begins, from 0: positions count from 1, negative ones from the end.
static size_t search_start(lua_Integer position, size_t length) {
  if (position > 0) return (size_t)position - 1;
  if (position == 0 || position < -(lua_Integer)length) return 0;
  return length + (size_t)position;
}

static bool is_plain(const char *pattern, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (pattern[i] && strchr("^$*+?.([%-", pattern[i])) return false;
  }
  return true;
}

static int search(lua_State *L, bool finds) {
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
  size_t start = search_start(luaL_optinteger(L, 3, 1), length);
  if (start > length) { luaL_pushfail(L); return 1; }
  if (finds && (lua_toboolean(L, 4) || is_plain(pattern, pattern_length))) {
    const char *found = pattern_length ? memmem(subject + start, length - start, pattern, pattern_length) : subject + start;
    if (!found) { luaL_pushfail(L); return 1; }
    lua_pushinteger(L, found - subject + 1);
    lua_pushinteger(L, found - subject + (lua_Integer)pattern_length);
    return 2;
  }
  matcher m;
  bool anchored = *pattern == '^';
  prepare(&m, L, subject, length, pattern, pattern_length);
  for (const char *s = subject + start; s <= m.subject_end; s++) {
    const char *end = start_match(&m, s, pattern + anchored);
    if (end && !finds) return push_captures(&m, s, end);
    if (end) {
      lua_pushinteger(L, s - subject + 1);
      lua_pushinteger(L, end - subject);
      return push_captures(&m, NULL, NULL) + 2;
    }
    if (anchored) break;
  }
  luaL_pushfail(L);
  return 1;
}

static int string_find(lua_State *L) { return search(L, true); }
static int string_match(lua_State *L) { return search(L, false); }

/// What a loop over matches remembers: a userdata, its third upvalue; the others keep subject and pattern alive.
typedef struct {
  matcher m;
  const char *pattern, *next, *last_end;
} iteration;

static int next_match(lua_State *L) {
  iteration *loop = lua_touserdata(L, lua_upvalueindex(3));
  loop->m.L = L;
  for (const char *s = loop->next; s <= loop->m.subject_end; s++) {
    const char *end = start_match(&loop->m, s, loop->pattern);
    if (!end || end == loop->last_end) continue;
    loop->next = loop->last_end = end;
    return push_captures(&loop->m, s, end);
  }
  return 0;
}

static int string_gmatch(lua_State *L) {
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
  size_t start = search_start(luaL_optinteger(L, 3, 1), length);
  lua_settop(L, 2);
  iteration *loop = lua_newuserdatauv(L, sizeof *loop, 0);
  prepare(&loop->m, L, subject, length, pattern, pattern_length);
  loop->pattern = pattern;
  loop->next = subject + (start > length ? length + 1 : start);
  loop->last_end = NULL;
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// MARK: - gsub

/// Adds the replacement text, argument 3, with its %0 to %9.
static void add_text(matcher *m, luaL_Buffer *buffer, const char *s, const char *end) {
  size_t length;
  const char *text = lua_tolstring(m->L, 3, &length), *text_end = text + length;
  for (const char *mark; (mark = memchr(text, '%', (size_t)(text_end - text))) != NULL; text = mark + 2) {
    luaL_addlstring(buffer, text, (size_t)(mark - text));
    if (mark[1] == '%') {
      luaL_addchar(buffer, '%');
    } else if (mark[1] == '0') {
      luaL_addlstring(buffer, s, (size_t)(end - s));
    } else if (isdigit(byte(mark + 1))) {
      const char *start;
      ptrdiff_t size = capture(m, mark[1] - '1', s, end, &start);
      if (size == POSITION) luaL_addvalue(buffer); else luaL_addlstring(buffer, start, (size_t)size);
    } else {
      luaL_error(m->L, "invalid use of '%c' in replacement string", '%');
    }
  }
  luaL_addlstring(buffer, text, (size_t)(text_end - text));
}

/// Adds what replaces the match from `s` to `end`; false when it stays.
static bool add_replacement(matcher *m, luaL_Buffer *buffer, const char *s, const char *end, int type) {
  lua_State *L = m->L;
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    lua_call(L, push_captures(m, s, end), 1);
  } else if (type == LUA_TTABLE) {
    push_capture(m, 0, s, end);
    lua_gettable(L, 3);
  } else {
    add_text(m, buffer, s, end);
    return true;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(buffer, s, (size_t)(end - s));
    return false;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(buffer);
  return true;
}

static int string_gsub(lua_State *L) {
  size_t length, pattern_length;
  const char *s = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
  const int type = lua_type(L, 3);
  const lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1);
  luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3, "string/function/table");
  const bool anchored = *pattern == '^';
  const char *last_end = NULL;
  lua_Integer count = 0;
  bool changed = false;
  matcher m;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  prepare(&m, L, s, length, pattern, pattern_length);
  while (count < most) {
    const char *end = start_match(&m, s, pattern + anchored);
    if (end && end != last_end) {
      count++;
      if (add_replacement(&m, &buffer, s, end, type)) changed = true;
      s = last_end = end;
    } else if (s < m.subject_end) {
      luaL_addchar(&buffer, *s++);
    } else {
      break;
    }
    if (anchored) break;
  }
  if (changed) {
    luaL_addlstring(&buffer, s, (size_t)(m.subject_end - s));
    luaL_pushresult(&buffer);
  } else {
    lua_pushvalue(L, 1);
  }
  lua_pushinteger(L, count);
  return 2;
}

// MARK: - rep

static int string_rep(lua_State *L) {
  size_t length, gap;
  const char *s = luaL_checklstring(L, 1, &length);
  const lua_Integer count = luaL_checkinteger(L, 2);
  const char *separator = luaL_optlstring(L, 3, "", &gap);
  if (count <= 0 || length + gap == 0) { lua_pushliteral(L, ""); return 1; }
  if (length + gap < length || length + gap > MOST_BYTES / (lua_Unsigned)count) return luaL_error(L, "resulting string too large");
  const size_t unit = length + gap, total = unit * (size_t)count - gap, most = unit < MOST_COPIED ? MOST_COPIED / unit * unit : unit;
  luaL_Buffer buffer;
  char *start = luaL_buffinitsize(L, &buffer, total);
  memcpy(start, s, length);
  if (count > 1) memcpy(start + length, separator, gap);
  // What is there is copied behind itself, whole units each time.
  for (size_t done = unit; done < total;) {
    if (trellis_interrupt_pending()) clua_raise_interrupt(L);
    size_t size = done < most ? done : most;
    if (size > total - done) size = total - done;
    memcpy(start + done, start, size);
    done += size;
  }
  luaL_pushresultsize(&buffer, total);
  return 1;
}

void clua_open_patterns(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch}, {"gsub", string_gsub}, {"rep", string_rep}, {NULL, NULL},
  };
  lua_getglobal(L, "string");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
