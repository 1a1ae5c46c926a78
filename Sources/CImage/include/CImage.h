// PNG and JPEG through libpng and libjpeg, which report errors by longjmp: setjmp and everything it may jump over stay inside this target,
// and Swift sees functions that return. Images are handed over row by row, so that what is kept, and as what, is the caller's choice.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// How a call ended. For all but the first two `message` says why.
typedef enum {
  TRELLIS_IMAGE_DONE,
  /// Ctrl-C, or the taker of rows wanted no more.
  TRELLIS_IMAGE_STOPPED,
  /// The file is not what the format demands, or not whole.
  TRELLIS_IMAGE_DAMAGED,
  /// The file may be whole; it is of a kind that is not read.
  TRELLIS_IMAGE_UNSUPPORTED,
  TRELLIS_IMAGE_NO_MEMORY,
} trellis_image_result;

/// Takes row `y`, from 0 on and each once; false ends the decoding. It must return.
typedef bool (*trellis_image_row)(void *context, uint32_t y, const uint8_t *row);

/// Gives row `y`, asked for from 0 on and each once: memory that stays until the next call; null ends the encoding. It must return.
typedef const uint8_t *(*trellis_image_source)(void *context, uint32_t y);

/// Where the text of a failure goes.
typedef struct {
  char text[256];
} trellis_image_message;

/// What a PNG stores.
typedef struct {
  uint32_t width, height;
  /// Bits a sample: 1, 2, 4, 8 or 16.
  int depth;
  /// 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA.
  int channels;
  /// Whether samples are indices into `palette`: red, green, blue, alpha of `palette_count` entries.
  bool is_palette;
  int palette_count;
  uint8_t palette[256][4];
  /// Whether pixels of the samples `key` are transparent (grey: the first).
  bool has_key;
  uint16_t key[3];
} trellis_png;

/// What rows of a PNG are handed over as.
typedef enum {
  /// RGB of 8 bits: palette looked up, grey repeated, alpha dropped, 16 bits cut to 8. No gamma is applied.
  TRELLIS_PNG_RGB,
  /// Samples as stored, each in a byte (grey of 1, 2 or 4 bits is not stretched), or of 16 bits in the machine's byte order.
  TRELLIS_PNG_STORED,
} trellis_png_form;

/// Reads what stands before the pixels.
trellis_image_result trellis_png_header(const uint8_t *bytes, size_t count, trellis_png *out, trellis_image_message *message);

/// Decodes the whole file. `row` may be null: then only its damage is looked for, in memory for a few rows.
trellis_image_result trellis_png_read(const uint8_t *bytes, size_t count, trellis_png_form form, trellis_image_row row, void *context,
                                      trellis_image_message *message);

/// Encodes rows of the size, depth (8 or 16), channels and palette of `image`; `*out` comes from malloc.
trellis_image_result trellis_png_write(const trellis_png *image, trellis_image_source row, void *context, uint8_t **out, size_t *count,
                                       trellis_image_message *message);

/// Height and width of a JPEG, and its components: 1 grey, 3 colour, 4 CMYK or YCCK.
trellis_image_result trellis_jpeg_header(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, int *components,
                                         trellis_image_message *message);

/// Decodes the whole file as RGB, with the accurate integer DCT, whose results do not depend on the processor. Stray bytes between its
/// parts are passed over; anything else that libjpeg would make up pixels for is damage. CMYK becomes RGB without a colour profile.
/// `row` may be null: then only its damage is looked for, which takes less time.
trellis_image_result trellis_jpeg_read(const uint8_t *bytes, size_t count, trellis_image_row row, void *context, trellis_image_message *message);

/// Encodes rows of RGB without subsampling of colour, with a quality of 1 to 100; `*out` comes from malloc.
trellis_image_result trellis_jpeg_write(uint32_t width, uint32_t height, int quality, trellis_image_source row, void *context, uint8_t **out,
                                        size_t *count, trellis_image_message *message);
