// PNG through libpng, which reports errors by longjmp: setjmp and everything it may jump over stay inside this target,
// and Swift sees functions that return.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t width, height;
  /// Bits a sample in `pixels`: 8 or 16 (in the machine's byte order).
  int depth;
  /// 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA.
  int channels;
  /// Entries of `palette`; 0 when `pixels` holds colours or grey values, not indices.
  int palette_count;
  uint8_t palette[256 * 3];
  /// Rows without padding, from malloc; the caller frees it.
  uint8_t *pixels;
} trellis_png;

/// Decodes a PNG. With `colour` into RGB of 8 bits: palette looked up, grey repeated, alpha dropped, 16 bits cut to 8.
/// Without, values stay as stored: palette indices, and grey of 1, 2 or 4 bits unscaled. No gamma is applied.
/// 0 on success; else `message` says why and nothing is to be freed.
int trellis_png_read(const uint8_t *bytes, size_t count, int colour, uint64_t pixel_limit, trellis_png *out,
                     char *message, size_t capacity);

/// Encodes what `image` describes; `*bytes` comes from malloc. 0 on success; else `message` says why.
int trellis_png_write(const trellis_png *image, uint8_t **bytes, size_t *count, char *message, size_t capacity);
