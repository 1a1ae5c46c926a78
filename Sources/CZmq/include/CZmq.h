// What a Jupyter kernel needs of libzmq and libsodium, opened when it starts: neither is needed to build, nor for anything else.
// Prototypes from zmq.h (4.3) and sodium.h; constants are part of their binary interface.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CZMQ_REP = 4, CZMQ_ROUTER = 6, CZMQ_XPUB = 9 };  ///< kinds of sockets
enum { CZMQ_POLLIN = 1 };

/// Opens the libraries, once. NULL, or why one of them cannot be opened.
const char *czmq_open(void);
/// A socket in the process's context, which sends and keeps without limits and lets go of what is unsent half a second after it is closed; NULL with
/// czmq_error. With keys of CURVE (40 characters of Z85 each) it is a server that encrypts.
void *czmq_socket(int kind, const char *public_key, const char *secret_key);
/// Whether it listens at the address: "tcp://127.0.0.1:5555", "ipc:///run/x-1".
bool czmq_bind(void *socket, const char *address);
void czmq_close(void *socket);
/// Waits for what is left to send.
void czmq_end(void);
/// Why the last of these failed.
const char *czmq_error(void);

/// Sends one part of a message; `more`: another one follows.
bool czmq_send(void *socket, const void *bytes, size_t count, bool more);
/// Takes a part of a message: `take` gets its bytes. 0: it was the last one, 1: more follow, -1: there is none.
int czmq_receive(void *socket, void *context, void (*take)(void *context, const void *bytes, size_t count));
/// Waits until a socket or the descriptor (behind the sockets) has something to read, at most so many milliseconds, -1: for ever. Bit i: it is the i-th.
unsigned czmq_wait(void *const *sockets, int count, int descriptor, int milliseconds);

/// A descriptor that a write of 8 bytes makes readable (eventfd).
int czmq_event(void);

/// HMAC-SHA256 of texts one behind the other (RFC 2104).
void czmq_sign(const uint8_t *key, size_t key_count, const uint8_t *const *texts, const size_t *counts, int text_count, uint8_t result[32]);
/// Compares in a time that does not tell where they differ.
bool czmq_equal(const uint8_t *a, const uint8_t *b, size_t count);
