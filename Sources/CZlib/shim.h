#pragma once
#include <zlib.h>

/// inflateInit2 is a macro, which Swift cannot see. Raw deflate as ZIP stores it: negative window bits, no zlib header.
static inline int trellis_inflate_init_raw(z_stream *stream) { return inflateInit2(stream, -15); }
