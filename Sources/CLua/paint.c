// What a terminal with colours shows while a line is typed: readline draws the line, and the same characters are written over it in colours, with what an
// earlier entry goes on with behind it and a line about the function that is being called below. Lines with characters that do not take one column each
// stay as readline draws them, and so do those that fill the screen.
#define _XOPEN_SOURCE 700
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <readline/readline.h>

static const clua_editor *editor;
/// Whether what is not part of the line stays away.
static bool is_plain;

/// Rows count from that of the prompt, columns from 0.
typedef struct place { int row, column; } place;

/// Where the cursor and the end of the line were when something was shown beside the line.
static struct { bool shown; place cursor, end; } extras;

// MARK: - Measuring

/// Bytes of the character at `text`, and in `*width` its columns; control characters have none that could be told.
static size_t character(const char *text, size_t count, int *width) {
  wchar_t wide;
  mbstate_t state;
  memset(&state, 0, sizeof state);
  const size_t length = mbrtowc(&wide, text, count, &state);
  if (length == 0 || length > count) { *width = -1; return 1; }
  *width = wcwidth(wide);
  return length;
}

/// Where the character at byte `upto` stands.
static place place_of(int upto, int prompt, int columns) {
  place at = {0, prompt};
  for (int i = 0; i < upto;) {
    if (rl_line_buffer[i] == '\n') {
      at.row++;
      at.column = 0;
      i++;
      continue;
    }
    int width;
    i += (int)character(rl_line_buffer + i, (size_t)(rl_end - i), &width);
    if (++at.column >= columns) { at.row++; at.column = 0; }
  }
  return at;
}

/// Whether each character takes one column.
static bool is_measurable(void) {
  for (int i = 0; i < rl_end;) {
    int width = 1;
    i += rl_line_buffer[i] == '\n' ? 1 : (int)character(rl_line_buffer + i, (size_t)(rl_end - i), &width);
    if (width != 1) return false;
  }
  return true;
}

/// Bytes of `text` that fit into so many columns, up to the end of its line; 0 where that cannot be told.
static int fitting(const char *text, int columns) {
  int bytes = 0;
  while (columns-- > 0 && text[bytes] && text[bytes] != '\n') {
    int width;
    const size_t length = character(text + bytes, strlen(text + bytes), &width);
    if (width != 1) return 0;
    bytes += (int)length;
  }
  return bytes;
}

// MARK: - Drawing

static void move(place from, place to) {
  if (to.row < from.row) fprintf(rl_outstream, "\033[%dA", from.row - to.row);
  if (to.row > from.row) fprintf(rl_outstream, "\033[%dB", to.row - from.row);
  fputc('\r', rl_outstream);
  if (to.column) fprintf(rl_outstream, "\033[%dC", to.column);
}

static void erase_extras(void) {
  if (!extras.shown) return;
  extras.shown = false;
  move(extras.cursor, extras.end);
  fputs("\033[J", rl_outstream);
  move(extras.end, extras.cursor);
}

static const char *colour(char class) {
  switch (class) {
    case 'k': return "\033[35m";
    case 's': return "\033[32m";
    case 'n': return "\033[36m";
    case 'm': return "\033[34m";
    case 'c': return "\033[2m";
    case 'b': return "\033[1;4m";
    default: return "";
  }
}

/// Writes the line in colours, from the place of its first character.
static void draw_line(const char *classes, int prompt, int columns) {
  char last = ' ';
  int column = prompt;
  bool is_full = false;  // the last column is written; the terminal goes on in the next row with the next character
  for (int i = 0; i < rl_end;) {
    if (rl_line_buffer[i] == '\n') {
      // Behind a full row readline leaves one empty.
      fputs(is_full ? "\033[0m\r\n\033[K\r\n" : "\033[0m\033[K\r\n", rl_outstream);
      last = ' ';
      column = 0;
      is_full = false;
      i++;
      continue;
    }
    if (is_full) column = 0;
    int width;
    const size_t length = character(rl_line_buffer + i, (size_t)(rl_end - i), &width);
    if (classes[i] != last) fprintf(rl_outstream, "\033[0m%s", colour(last = classes[i]));
    fwrite(rl_line_buffer + i, 1, length, rl_outstream);
    is_full = ++column >= columns;
    i += (int)length;
  }
  fputs("\033[0m", rl_outstream);
}

/// What stands behind the line and below it, in dim characters.
static void draw_extras(place end, int columns) {
  const char *rest = rl_point == rl_end ? editor->suggestion(rl_line_buffer, rl_end) : NULL;
  const int behind = rest ? fitting(rest, columns - end.column - 1) : 0;
  if (behind) fprintf(rl_outstream, "\033[2m%.*s\033[0m", behind, rest);
  const char *text = editor->signature(rl_line_buffer, rl_end, rl_point);
  const int below = text ? fitting(text, columns - 1) : 0;
  if (below) fprintf(rl_outstream, "\r\n\033[2m%.*s\033[0m", below, text);
  if (!behind && !below) return;
  extras.shown = true;
  // Back to the line's end.
  if (below) fputs("\033[A", rl_outstream);
  move((place){0, 0}, (place){0, end.column});
}

static void paint(void) {
  int rows, columns;
  rl_get_screen_size(&rows, &columns);
  const int prompt = (int)strlen(rl_display_prompt ? rl_display_prompt : "");
  const place cursor = place_of(rl_point, prompt, columns), end = place_of(rl_end, prompt, columns);
  if (end.row + 3 > rows || prompt >= columns) return;
  char *classes = malloc((size_t)rl_end + 1);
  if (!classes) return;
  memset(classes, ' ', (size_t)rl_end + 1);
  editor->classify(rl_line_buffer, rl_end, rl_point, classes);
  fputs("\033[?25l", rl_outstream);
  move(cursor, (place){0, prompt});
  draw_line(classes, prompt, columns);
  free(classes);
  // In the last column the terminal may be in either row: then nothing is added, and the cursor is set by its row alone.
  const bool at_edge = rl_end > 0 && end.column == 0 && rl_line_buffer[rl_end - 1] != '\n';
  if (!at_edge) {
    fputs("\033[J", rl_outstream);
    if (!is_plain) draw_extras(end, columns);
    extras.cursor = cursor;
    extras.end = end;
  }
  move(at_edge ? (place){end.row - 1, 0} : end, cursor);
  fputs("\033[?25h", rl_outstream);
  fflush(rl_outstream);
}

static void redisplay(void) {
  erase_extras();
  rl_redisplay();
  if (RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG) || !is_measurable()) return;
  paint();
}

// MARK: - For the rest of the editor

void clua_paint_setup(const clua_editor *with) {
  static const char *const others[] = {"show-mode-in-prompt", "horizontal-scroll-mode", "mark-modified-lines"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    const char *value = rl_variable_value(others[i]);
    if (value && strcmp(value, "on") == 0) return;  // readline draws what is not measured here
  }
  editor = with;
  // Set before rl_initialize it would be taken for a sign of a dumb terminal.
  rl_redisplay_function = redisplay;
}

void clua_paint_begin(void) { is_plain = extras.shown = false; }

void clua_paint_erase(void) {
  if (!editor) return;
  erase_extras();
  fflush(rl_outstream);
}

void clua_paint_finish(void) {
  if (!editor) return;
  is_plain = true;
  rl_point = rl_end;
  redisplay();
}

void clua_paint_forget(void) { extras.shown = false; }
