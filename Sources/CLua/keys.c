// Keys of an entry of several lines: Return goes on in a next line where the entry is not whole, Up and Down move in it and then through those entries of
// the history that begin like it, Home and End go to the ends of a line, Right takes what an earlier entry goes on with.
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <readline/readline.h>
#include <readline/history.h>

static const clua_editor *editor;
/// What the history gave last: while the line is that, Up and Down go on with the same search.
static char *recalled;

static int line_start(int at) {
  while (at > 0 && rl_line_buffer[at - 1] != '\n') at--;
  return at;
}

static int line_end(int at) {
  while (at < rl_end && rl_line_buffer[at] != '\n') at++;
  return at;
}

static void insert_line(int spaces) {
  char text[64] = "\n";
  if (spaces > (int)sizeof text - 2) spaces = sizeof text - 2;
  memset(text + 1, ' ', (size_t)spaces);
  text[1 + spaces] = '\0';
  rl_insert_text(text);
}

static int enter(int count, int key) {
  int dedent = 0;
  const int spaces = editor->indentation(rl_line_buffer, rl_end, rl_point, &dedent);
  rl_begin_undo_group();
  if (dedent > 0) {
    const int start = line_start(rl_point), point = rl_point;
    rl_delete_text(start, start + dedent);
    rl_point = point - dedent < start ? start : point - dedent;
  }
  if (spaces >= 0) insert_line(spaces);
  rl_end_undo_group();
  if (spaces >= 0) return 0;
  clua_paint_finish();
  return rl_newline(count, key);
}

static int next_line(int count, int key) {
  (void)count; (void)key;
  insert_line(0);
  return 0;
}

/// One step through the history, as readline's own commands do it one after another.
static int search(rl_command_func_t *command, int count, int key) {
  if (recalled && strcmp(recalled, rl_line_buffer) == 0) rl_last_func = rl_history_search_backward;
  const int result = command(count, key);
  free(recalled);
  recalled = strdup(rl_line_buffer);
  return result;
}

static int up(int count, int key) {
  const int start = line_start(rl_point);
  if (start == 0) return search(rl_history_search_backward, count, key);
  const int column = rl_point - start, above = line_start(start - 1), length = start - 1 - above;
  rl_point = above + (column < length ? column : length);
  return 0;
}

static int down(int count, int key) {
  const int end = line_end(rl_point);
  if (end == rl_end) return search(rl_history_search_forward, count, key);
  const int column = rl_point - line_start(rl_point), length = line_end(end + 1) - end - 1;
  rl_point = end + 1 + (column < length ? column : length);
  return 0;
}

static int right(int count, int key) {
  const char *rest = rl_point == rl_end ? editor->suggestion(rl_line_buffer, rl_end) : NULL;
  char *text = rest ? strdup(rest) : NULL;
  if (!text) return rl_forward_char(count, key);
  rl_insert_text(text);
  free(text);
  return 0;
}

static int line_home(int count, int key) {
  (void)count; (void)key;
  rl_point = line_start(rl_point);
  return 0;
}

static int line_tail(int count, int key) {
  (void)count; (void)key;
  rl_point = line_end(rl_point);
  return 0;
}

/// Binds a key, given as the bytes that it sends, that still does what readline's own tables say (NULL: nothing): .inputrc has the say.
static void bind(const char *bytes, rl_command_func_t *standard, rl_command_func_t *command, Keymap map) {
  if (rl_function_of_keyseq(bytes, map, NULL) == standard) rl_bind_keyseq_in_map(bytes, command, map);
}

void clua_keys_setup(const clua_editor *with) {
  editor = with;
  const Keymap maps[] = {emacs_standard_keymap, vi_insertion_keymap};
  for (int i = 0; i < 2; i++) {
    bind("\r", rl_newline, enter, maps[i]);
    bind("\n", rl_newline, enter, maps[i]);
    bind("\033[A", rl_get_previous_history, up, maps[i]);
    bind("\033OA", rl_get_previous_history, up, maps[i]);
    bind("\033[B", rl_get_next_history, down, maps[i]);
    bind("\033OB", rl_get_next_history, down, maps[i]);
    bind("\033[C", rl_forward_char, right, maps[i]);
    bind("\033OC", rl_forward_char, right, maps[i]);
    bind("\033[H", rl_beg_of_line, line_home, maps[i]);
    bind("\033OH", rl_beg_of_line, line_home, maps[i]);
    bind("\033[1~", NULL, line_home, maps[i]);
    bind("\033[F", rl_end_of_line, line_tail, maps[i]);
    bind("\033OF", rl_end_of_line, line_tail, maps[i]);
    bind("\033[4~", NULL, line_tail, maps[i]);
  }
  bind("\020", rl_get_previous_history, up, emacs_standard_keymap);    // Ctrl-P
  bind("\016", rl_get_next_history, down, emacs_standard_keymap);      // Ctrl-N
  bind("\001", rl_beg_of_line, line_home, emacs_standard_keymap);      // Ctrl-A
  bind("\005", rl_end_of_line, line_tail, emacs_standard_keymap);      // Ctrl-E
  // Alt-Return.
  rl_bind_keyseq_in_map("\\e\\C-m", next_line, emacs_standard_keymap);
}

void clua_keys_begin(void) {
  free(recalled);
  recalled = NULL;
}
