// The last line: what ends the process by a signal says where it happened and what to do. Only functions that are safe in a handler are called.
#include "private.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static clua_host *reported;
static const char *advice;

static void say(const char *text) {
  ssize_t ignored = write(clua_error_descriptor, text, strlen(text));
  (void)ignored;
}

static const char *signal_name(int number) {
  switch (number) {
    case SIGILL: return "SIGILL";
    case SIGTRAP: return "SIGTRAP";
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    default: return "SIGABRT";
  }
}

static void on_fault(int number) {
  const clua_function *function = reported ? reported->function : NULL;
  say("trellis: ");
  say(signal_name(number));
  if (function) {
    say(" in ");
    if (function->module[0]) { say(function->module); say("."); }
    say(function->name);
  }
  say("\n");
  say(advice);
  // The handler was reset when it was entered: this ends the process by the signal itself.
  raise(number);
}

void clua_die(const char *reason) {
  say("trellis: ");
  say(reason);
  say("\n");
  abort();
}

void clua_crash_install(lua_State *L, const char *text) {
  static char stack[1 << 16];
  reported = clua_host_of(L);
  advice = text;
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_fault;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  static const int faults[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &action, NULL);
  signal(SIGXFSZ, SIG_IGN);
}
