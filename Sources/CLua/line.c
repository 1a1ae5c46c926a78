// One line from the terminal. readline() reads its keys through a function of ours, which waits with SIGINT, SIGTSTP and SIGWINCH open; everywhere
// else they are blocked, so that neither can be lost or interrupt readline halfway. After Ctrl-C it is told that the input has ended, until it
// returns. (Its callback interface knows many states between two keys, and 8.2 crashes in some of them.)
#define _GNU_SOURCE
#include "private.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <readline/readline.h>
#include <readline/history.h>

static clua_completer completer;

// MARK: - Completion

static char **candidates;
static int candidate_count, candidate_room;

void clua_add_candidate(const char *text) {
  if (candidate_count == candidate_room) {
    int room = candidate_room ? 2 * candidate_room : 64;
    char **larger = realloc(candidates, (size_t)room * sizeof *larger);
    if (!larger) return;
    candidates = larger;
    candidate_room = room;
  }
  char *copy = strdup(text);
  if (copy) candidates[candidate_count++] = copy;
}

/// Readline takes over the strings one by one.
static char *next_candidate(const char *text, int state) {
  static int position;
  (void)text;
  if (state == 0) position = 0;
  return position < candidate_count ? candidates[position++] : NULL;
}

static char **complete(const char *text, int start, int end) {
  candidate_count = 0;
  clua_paint_erase();
  rl_completion_append_character = '\0';
  rl_completion_suppress_append = 1;
  int kind = completer ? completer(rl_line_buffer, start, end) : CLUA_COMPLETE_NOTHING;
  if (kind == CLUA_COMPLETE_FILES) {
    for (int i = 0; i < candidate_count; i++) free(candidates[i]);
    return NULL;  // readline goes on to file names
  }
  rl_attempted_completion_over = 1;
  return candidate_count ? rl_completion_matches(text, next_candidate) : NULL;
}

/// In a string a word is everything since the quote, elsewhere an identifier.
static char *word_breaks(void) {
  static char in_string[] = "\"'", in_code[] = " \t\n\"\\'`@$><=;|&{}()+-*/%^~#,[].:!?";
  return completer && completer(rl_line_buffer, -1, rl_point) == CLUA_COMPLETE_FILES ? in_string : in_code;
}

// MARK: - Keys

static bool interrupted, ended;
static volatile sig_atomic_t suspended, continued, resized;
/// The signals that are blocked while waiting for a key.
static sigset_t waiting;

static void on_suspend(int number) {
  (void)number;
  suspended = 1;
}

static void on_continue(int number) {
  (void)number;
  continued = 1;
}

static void on_resize(int number) {
  (void)number;
  resized = 1;
}

enum { LEAST_COLUMNS = 20 };  ///< that readline is told of: it divides by what is left of them

/// Tells readline the size of the terminal, where that knows it.
static void take_size(void) {
  struct winsize size;
  resized = 0;
  if (ioctl(fileno(rl_instream ? rl_instream : stdin), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    rl_set_screen_size(size.ws_row, size.ws_col < LEAST_COLUMNS ? LEAST_COLUMNS : size.ws_col);
    return;
  }
  int rows, columns;
  rl_get_screen_size(&rows, &columns);
  if (columns < LEAST_COLUMNS) rl_set_screen_size(rows, LEAST_COLUMNS);
}

/// What readline does after a change of size; not part of its interface.
extern void _rl_redisplay_after_sigwinch(void) __attribute__((weak));

static void redraw_resized(void) {
  take_size();
  clua_paint_forget();
  if (&_rl_redisplay_after_sigwinch) _rl_redisplay_after_sigwinch();
  else rl_forced_update_display();
}

/// Leaves the terminal to the shell, which stops us, and takes it again. Readline has to be told of both: it does neither twice.
static void hand_over(bool stop) {
  clua_paint_erase();
  rl_deprep_term_function();
  if (stop) {
    struct sigaction standard = {.sa_handler = SIG_DFL}, ours;
    sigset_t only_suspend, blocked;
    sigemptyset(&only_suspend);
    sigaddset(&only_suspend, SIGTSTP);
    sigaction(SIGTSTP, &standard, &ours);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &only_suspend, &blocked);  // here we stop
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    sigaction(SIGTSTP, &ours, NULL);
  }
  suspended = continued = 0;
  rl_prep_term_function(1);
  rl_forced_update_display();
}

/// The end of input, for good: readline leaves whatever it is in the middle of.
static int end_input(void) {
  clua_paint_finish();
  ended = true;
  rl_free_line_state();
  rl_replace_line("", 0);
  return EOF;
}

enum { MOST_REPEATS = 999 };  ///< of a key behind a count: more is a slip, and makes a line that takes minutes to draw

static int next_key(FILE *input) {
  if (RL_ISSTATE(RL_STATE_NUMERICARG) && rl_numeric_arg > MOST_REPEATS) rl_numeric_arg = MOST_REPEATS;
  while (!ended) {
    if (resized) redraw_resized();
    struct pollfd descriptor = {.fd = fileno(input), .events = POLLIN};
    const int ready = ppoll(&descriptor, 1, NULL, &waiting);
    if (trellis_interrupt_pending()) {
      interrupted = true;
      return end_input();
    }
    if (suspended || continued) {
      hand_over(suspended);
      continue;
    }
    if (ready < 0 && errno == EINTR) continue;
    unsigned char key;
    if (ready > 0 && read(descriptor.fd, &key, 1) == 1) {
      // A line is a C string: readline draws one with a 0 in it for ever.
      if (key == 0 && RL_ISSTATE(RL_STATE_MOREINPUT)) continue;
      return key;
    }
    if (ready > 0 && (errno == EINTR || errno == EAGAIN)) continue;
    return end_input();
  }
  return EOF;
}

// MARK: - The terminal

static bool pastes_in_brackets;

/// Also takes Ctrl-S, which would stop all output until Ctrl-Q: while a line is edited it searches.
static void prepare_terminal(int meta) {
  rl_prep_terminal(meta);
  struct termios settings;
  const int terminal = fileno(rl_instream ? rl_instream : stdin);
  if (tcgetattr(terminal, &settings) == 0) {
    settings.c_iflag &= ~(tcflag_t)IXON;
    while (tcsetattr(terminal, TCSADRAIN, &settings) != 0 && errno == EINTR) {}
  }
  if (pastes_in_brackets) fputs("\033[?2004h", rl_outstream);
  fflush(rl_outstream);
}

static void restore_terminal(void) {
  // ^C goes behind the line.
  if (pastes_in_brackets) fputs(interrupted ? "\033[?2004l" : "\033[?2004l\r", rl_outstream);
  fflush(rl_outstream);
  rl_deprep_terminal();
}

/// Text between ESC [200~, the key that this is bound to, and ESC [201~: inserted as it is. Readline's own version writes beyond its memory when
/// the input ends in the middle, and reads ahead in a search.
static int insert_paste(int count, int key) {
  (void)count; (void)key;
  static const char end[] = "\033[201~";
  const size_t tail = sizeof end - 1;
  size_t length = 0, room = 256;
  char *text = malloc(room);
  for (int c; text && (c = rl_read_key()) >= 0;) {
    if (length + 2 > room) {
      char *larger = realloc(text, room *= 2);
      if (!larger) break;
      text = larger;
    }
    text[length++] = c == '\r' ? '\n' : (char)c;
    if (length < tail || memcmp(text + length - tail, end, tail) != 0) continue;
    text[length - tail] = '\0';
    rl_insert_text(text);
    break;
  }
  free(text);
  return 0;
}

static void bind_keys(void) {
  const Keymap maps[] = {emacs_standard_keymap, vi_insertion_keymap, vi_movement_keymap};
  for (int i = 0; i < 3; i++) rl_bind_keyseq_in_map("\\e[200~", insert_paste, maps[i]);
  // By accident nobody gets into vi's mode, where readline 8.2 frees what an edited line of the history still needs; in .inputrc it can be chosen.
  const int keys[] = {'J' & 31, 'M' & 31};
  for (int i = 0; i < 2; i++) {
    if (emacs_meta_keymap[keys[i]].function == rl_vi_editing_mode) rl_unbind_key_in_map(keys[i], emacs_meta_keymap);
  }
}

void clua_line_setup(const char *name, clua_completer complete_with, bool to_stderr) {
  static bool done;
  completer = complete_with;
  if (done) return;
  done = true;
  rl_readline_name = name;
  rl_catch_signals = rl_catch_sigwinch = 0;
  rl_attempted_completion_function = complete;
  rl_completion_word_break_hook = word_breaks;
  rl_getc_function = next_key;
  rl_prep_term_function = prepare_terminal;
  rl_deprep_term_function = restore_terminal;
  if (to_stderr) rl_outstream = stderr;
  rl_initialize();  // reads .inputrc, which has the say
  const char *wish = rl_variable_value("enable-bracketed-paste");
  pastes_in_brackets = wish && strcmp(wish, "on") == 0;
  rl_variable_bind("enable-bracketed-paste", "off");
  bind_keys();
}

void clua_line_edit_with(const clua_editor *editor) {
  static bool done;
  static clua_editor kept;
  if (done) return;
  done = true;
  kept = *editor;
  clua_paint_setup(&kept);
  clua_keys_setup(&kept);
}

// MARK: - Reading

/// Readline's own record of the line that was being typed when the history was entered; not part of its interface.
extern HIST_ENTRY *_rl_saved_line_for_history __attribute__((weak));

/// Lines of the history that were changed and left point to what undoes that. Readline 8.2 frees it with the line that is entered, and
/// follows the pointers in the next one. The changes themselves stay.
static void forget_undo_lists(void) {
  HIST_ENTRY **entries = history_list();
  for (int i = 0; entries && entries[i]; i++) entries[i]->data = NULL;
  if (&_rl_saved_line_for_history && _rl_saved_line_for_history) _rl_saved_line_for_history->data = NULL;
}

clua_line clua_read_line(const char *prompt, char **text) {
  sigset_t ours, outside;
  sigemptyset(&ours);
  sigaddset(&ours, SIGINT);
  sigaddset(&ours, SIGTSTP);
  sigaddset(&ours, SIGWINCH);
  sigprocmask(SIG_BLOCK, &ours, &outside);
  waiting = outside;
  sigdelset(&waiting, SIGINT);
  sigdelset(&waiting, SIGTSTP);
  sigdelset(&waiting, SIGWINCH);
  struct sigaction action, suspending, continuing, resizing;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_continue;
  sigaction(SIGCONT, &action, &continuing);
  action.sa_handler = on_resize;
  sigaction(SIGWINCH, &action, &resizing);
  sigaction(SIGTSTP, NULL, &suspending);
  action.sa_handler = on_suspend;
  if (suspending.sa_handler != SIG_IGN) sigaction(SIGTSTP, &action, NULL);

  trellis_interrupt_set(false);
  interrupted = ended = false;
  suspended = continued = 0;
  forget_undo_lists();
  clua_paint_begin();
  clua_keys_begin();
  take_size();
  char *line = readline(prompt);
  if (interrupted) {
    fputs("^C\n", rl_outstream);
    fflush(rl_outstream);
    trellis_interrupt_set(false);
    free(line);
    line = NULL;
  }
  sigaction(SIGTSTP, &suspending, NULL);
  sigaction(SIGCONT, &continuing, NULL);
  sigaction(SIGWINCH, &resizing, NULL);
  sigprocmask(SIG_SETMASK, &outside, NULL);
  *text = line;
  if (interrupted) return CLUA_LINE_INTERRUPTED;
  return line ? CLUA_LINE_READ : CLUA_LINE_END;
}

ssize_t clua_piped_line(char **text, size_t *room) { return getline(text, room, stdin); }

// MARK: - History

void clua_history_setup(int entries) {
  using_history();
  stifle_history(entries);
}

void clua_history_add(const char *text) { add_history(text); }

const char *clua_line_editor_version(void) { return rl_library_version; }
