// One line from the terminal through readline's callback interface: with plain readline() a Ctrl-C acts only at the next key
// and swallows it. SIGINT is blocked except while waiting, so it can neither be lost nor interrupt readline halfway.
#define _GNU_SOURCE
#include "private.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <readline/readline.h>
#include <readline/history.h>

static clua_completer completer;
static char *read_text;
static bool read_done;
static volatile sig_atomic_t continued;

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

// MARK: - Reading

static void line_ready(char *text) {
  read_text = text;
  read_done = true;
  rl_callback_handler_remove();  // lest it print the prompt again before the line has run
}

static void on_continue(int number) {
  (void)number;
  continued = 1;
}

void clua_line_setup(const char *name, clua_completer complete_with, bool to_stderr) {
  completer = complete_with;
  rl_readline_name = name;
  rl_catch_signals = 0;
  rl_attempted_completion_function = complete;
  rl_completion_word_break_hook = word_breaks;
  if (to_stderr) rl_outstream = stderr;
}

clua_line clua_read_line(const char *prompt, char **text) {
  sigset_t only_interrupt, outside, waiting;
  sigemptyset(&only_interrupt);
  sigaddset(&only_interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &only_interrupt, &outside);
  waiting = outside;
  sigdelset(&waiting, SIGINT);
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_continue;
  sigaction(SIGCONT, &action, &before);

  trellis_interrupt_set(false);
  read_text = NULL;
  read_done = false;
  bool interrupted = false;
  rl_callback_handler_install(prompt, line_ready);
  while (!read_done) {
    struct pollfd input = {.fd = fileno(rl_instream ? rl_instream : stdin), .events = POLLIN};
    int ready = ppoll(&input, 1, NULL, &waiting);
    if (trellis_interrupt_pending()) {
      interrupted = true;
      break;
    }
    if (ready < 0 && errno == EINTR) {
      if (continued) {  // the shell has had the terminal meanwhile
        continued = 0;
        rl_prep_terminal(1);
        rl_forced_update_display();
      }
      rl_check_signals();  // a new window size
      continue;
    }
    if (ready < 0) break;
    rl_callback_read_char();
  }
  if (interrupted || !read_done) {
    rl_callback_sigcleanup();
    rl_free_line_state();
    rl_callback_handler_remove();
    fputs("^C\n", rl_outstream);
    fflush(rl_outstream);
    trellis_interrupt_set(false);
  }
  sigaction(SIGCONT, &before, NULL);
  sigprocmask(SIG_SETMASK, &outside, NULL);
  *text = read_text;
  if (interrupted) return CLUA_LINE_INTERRUPTED;
  return read_text ? CLUA_LINE_READ : CLUA_LINE_END;
}

// MARK: - History

enum { HISTORY_ENTRIES = 10000 };

void clua_history_open(const char *path) {
  history_comment_char = '#';
  history_write_timestamps = 1;  // without them an entry of three lines comes back as three
  using_history();
  stifle_history(HISTORY_ENTRIES);
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  fchmod(file, 0600);
  close(file);
  history_truncate_file(path, HISTORY_ENTRIES);
  read_history(path);
}

void clua_history_add(const char *text, const char *path) {
  HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
  if (last && strcmp(last->line, text) == 0) return;
  add_history(text);
  // One entry at a time, so that a crash loses nothing and two sessions can share the file.
  if (path) append_history(1, path);
}

const char *clua_line_editor_version(void) { return rl_library_version; }
