#include "CZmq.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
  SNDMORE = 2, DONTWAIT = 1, OPTION_LINGER = 17, OPTION_SNDHWM = 23, OPTION_RCVHWM = 24, OPTION_ROUTER_HANDOVER = 56, OPTION_CURVE_SERVER = 47,
  OPTION_CURVE_PUBLICKEY = 48, OPTION_CURVE_SECRETKEY = 49, OPTION_XPUB_VERBOSE = 40, LINGER = 500,
};

typedef struct { unsigned char room[64]; } message;
typedef struct { void *socket; int descriptor; short events, ready; } item;
/// Larger than libsodium's state of an HMAC (416 bytes).
typedef struct { _Alignas(64) unsigned char room[1024]; } hmac_state;

static struct {
  void *(*ctx_new)(void);
  int (*ctx_term)(void *);
  void *(*socket)(void *, int);
  int (*close)(void *);
  int (*setsockopt)(void *, int, const void *, size_t);
  int (*bind)(void *, const char *);
  int (*poll)(item *, int, long);
  int (*send)(void *, const void *, size_t, int);
  int (*msg_init)(message *);
  int (*msg_recv)(message *, void *, int);
  void *(*msg_data)(message *);
  size_t (*msg_size)(const message *);
  int (*msg_more)(const message *);
  int (*msg_close)(message *);
  int (*error)(void);
  const char *(*strerror)(int);
  int (*sodium_init)(void);
  size_t (*hmac_size)(void);
  int (*hmac_init)(hmac_state *, const unsigned char *, size_t);
  int (*hmac_update)(hmac_state *, const unsigned char *, unsigned long long);
  int (*hmac_final)(hmac_state *, unsigned char *);
  int (*equal)(const void *, const void *, size_t);
} f;

static void *context;

struct symbol { const char *name; void *place; };

static const char *open_library(const char *file, const struct symbol *symbols, int count) {
  static char why[300];
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(why, sizeof why, "%s", dlerror());
    return why;
  }
  for (int i = 0; i < count; i++) {
    void *found = dlsym(library, symbols[i].name);
    if (!found) {
      snprintf(why, sizeof why, "%s has no '%s'", file, symbols[i].name);
      return why;
    }
    memcpy(symbols[i].place, &found, sizeof found);
  }
  return NULL;
}

#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

const char *czmq_open(void) {
  if (context) return NULL;
  const struct symbol zmq[] = {
    {"zmq_ctx_new", &f.ctx_new}, {"zmq_ctx_term", &f.ctx_term}, {"zmq_socket", &f.socket}, {"zmq_close", &f.close}, {"zmq_setsockopt", &f.setsockopt},
    {"zmq_bind", &f.bind}, {"zmq_poll", &f.poll}, {"zmq_send", &f.send}, {"zmq_msg_init", &f.msg_init}, {"zmq_msg_recv", &f.msg_recv},
    {"zmq_msg_data", &f.msg_data}, {"zmq_msg_size", &f.msg_size}, {"zmq_msg_more", &f.msg_more}, {"zmq_msg_close", &f.msg_close},
    {"zmq_errno", &f.error}, {"zmq_strerror", &f.strerror},
  };
  const struct symbol sodium[] = {
    {"sodium_init", &f.sodium_init}, {"crypto_auth_hmacsha256_statebytes", &f.hmac_size}, {"crypto_auth_hmacsha256_init", &f.hmac_init},
    {"crypto_auth_hmacsha256_update", &f.hmac_update}, {"crypto_auth_hmacsha256_final", &f.hmac_final}, {"sodium_memcmp", &f.equal},
  };
  const char *why = open_library("libzmq.so.5", zmq, COUNT(zmq));
  if (!why) why = open_library("libsodium.so.23", sodium, COUNT(sodium));
  if (why) return why;
  if (f.sodium_init() < 0 || f.hmac_size() > sizeof(hmac_state)) return "libsodium cannot be used";
  context = f.ctx_new();
  return context ? NULL : "libzmq has no context";
}

static bool set(void *socket, int option, int value) { return f.setsockopt(socket, option, &value, sizeof value) == 0; }

void *czmq_socket(int kind, const char *public_key, const char *secret_key) {
  void *socket = f.socket(context, kind);
  if (!socket) return NULL;
  bool done = set(socket, OPTION_LINGER, LINGER) && set(socket, OPTION_SNDHWM, 0) && set(socket, OPTION_RCVHWM, 0);
  if (kind == CZMQ_ROUTER) done = done && set(socket, OPTION_ROUTER_HANDOVER, 1);
  if (kind == CZMQ_XPUB) done = done && set(socket, OPTION_XPUB_VERBOSE, 1);
  if (public_key && secret_key) {
    done = done && set(socket, OPTION_CURVE_SERVER, 1) && f.setsockopt(socket, OPTION_CURVE_PUBLICKEY, public_key, strlen(public_key)) == 0 &&
      f.setsockopt(socket, OPTION_CURVE_SECRETKEY, secret_key, strlen(secret_key)) == 0;
  }
  if (done) return socket;
  f.close(socket);
  return NULL;
}

bool czmq_bind(void *socket, const char *address) { return f.bind(socket, address) == 0; }
void czmq_close(void *socket) { if (socket) f.close(socket); }

void czmq_end(void) {
  if (!context) return;
  while (f.ctx_term(context) != 0 && f.error() == EINTR) {}
  context = NULL;
}

const char *czmq_error(void) { return f.strerror(f.error()); }

bool czmq_send(void *socket, const void *bytes, size_t count, bool more) {
  while (f.send(socket, bytes, count, DONTWAIT | (more ? SNDMORE : 0)) < 0) {
    if (f.error() != EINTR) return false;
  }
  return true;
}

int czmq_receive(void *socket, void *taker, void (*take)(void *context, const void *bytes, size_t count)) {
  message part;
  f.msg_init(&part);
  int count;
  do count = f.msg_recv(&part, socket, DONTWAIT);
  while (count < 0 && f.error() == EINTR);
  int more = -1;
  if (count >= 0) {
    take(taker, f.msg_data(&part), f.msg_size(&part));
    more = f.msg_more(&part) ? 1 : 0;
  }
  f.msg_close(&part);
  return more;
}

unsigned czmq_wait(void *const *sockets, int count, int descriptor, int milliseconds) {
  item items[16];
  if (count > 15) count = 15;
  for (int i = 0; i < count; i++) items[i] = (item){.socket = sockets[i], .events = CZMQ_POLLIN};
  items[count] = (item){.descriptor = descriptor, .events = CZMQ_POLLIN};
  unsigned ready = 0;
  if (f.poll(items, count + 1, milliseconds) <= 0) return 0;
  for (int i = 0; i <= count; i++) if (items[i].ready & CZMQ_POLLIN) ready |= 1u << i;
  return ready;
}

int czmq_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void czmq_sign(const uint8_t *key, size_t key_count, const uint8_t *const *texts, const size_t *counts, int text_count, uint8_t result[32]) {
  hmac_state state;
  f.hmac_init(&state, key, key_count);
  for (int i = 0; i < text_count; i++) f.hmac_update(&state, texts[i], counts[i]);
  f.hmac_final(&state, result);
}

bool czmq_equal(const uint8_t *a, const uint8_t *b, size_t count) { return f.equal(a, b, count) == 0; }
