#include "CImage.h"
#include "CKernels.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Where libpng's messages go and where it jumps to.
typedef struct {
  jmp_buf jump;
  trellis_image_message *message;
  trellis_image_result result;
} failure;

static void fail(png_structp png, png_const_charp text) {
  failure *f = png_get_error_ptr(png);
  snprintf(f->message->text, sizeof f->message->text, "%s", text);
  longjmp(f->jump, 1);
}

/// Ends in `result` instead of calling the file damaged.
static void end(png_structp png, trellis_image_result result, const char *text) {
  failure *f = png_get_error_ptr(png);
  f->result = result;
  png_error(png, text);
}

static void warn(png_structp png, png_const_charp text) { (void)png; (void)text; }

static void look_for_interrupt(png_structp png) {
  if (trellis_interrupt_pending()) end(png, TRELLIS_IMAGE_STOPPED, "interrupted");
}

static bool is_little_endian(void) {
  const uint16_t one = 1;
  return *(const uint8_t *)&one;
}

typedef struct {
  const uint8_t *bytes;
  size_t left;
} source;

static void pull(png_structp png, png_bytep out, png_size_t count) {
  source *s = png_get_io_ptr(png);
  if (count > s->left) png_error(png, "truncated: the data ends early");
  memcpy(out, s->bytes, count);
  s->bytes += count;
  s->left -= count;
}

/// What has to survive the jump lives here, outside the function that jumps.
typedef struct {
  failure failure;
  source source;
  png_structp png;
  png_infop info;
  uint8_t *rows;
} reader;

static bool open_reader(reader *r, const uint8_t *bytes, size_t count, trellis_image_message *message) {
  *r = (reader){.failure = {.message = message, .result = TRELLIS_IMAGE_DAMAGED}, .source = {bytes, count}};
  snprintf(message->text, sizeof message->text, "libpng could not start");
  r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r->failure, fail, warn);
  if (r->png) r->info = png_create_info_struct(r->png);
  if (!r->info) r->failure.result = TRELLIS_IMAGE_NO_MEMORY;
  return r->info;
}

static trellis_image_result close_reader(reader *r, trellis_image_result result) {
  if (r->png) png_destroy_read_struct(&r->png, r->info ? &r->info : NULL, NULL);
  free(r->rows);
  return result;
}

static void describe_palette(reader *r, trellis_png *out) {
  png_colorp colours;
  png_bytep alpha = NULL;
  int count = 0, transparent = 0;
  png_get_PLTE(r->png, r->info, &colours, &count);
  png_get_tRNS(r->png, r->info, &alpha, &transparent, NULL);
  out->palette_count = count < 256 ? count : 256;
  for (int i = 0; i < out->palette_count; i++) {
    out->palette[i][0] = colours[i].red;
    out->palette[i][1] = colours[i].green;
    out->palette[i][2] = colours[i].blue;
    out->palette[i][3] = alpha && i < transparent ? alpha[i] : 255;
  }
}

static void describe_key(reader *r, trellis_png *out) {
  png_color_16p key = NULL;
  if (!png_get_tRNS(r->png, r->info, NULL, NULL, &key) || !key) return;
  out->has_key = true;
  if (out->channels == 1) {
    out->key[0] = key->gray;
  } else {
    out->key[0] = key->red;
    out->key[1] = key->green;
    out->key[2] = key->blue;
  }
}

static void read_header(reader *r) {
  png_set_read_fn(r->png, &r->source, pull);
  png_read_info(r->png, r->info);
}

static trellis_image_result header(reader *r, trellis_png *out) {
  if (setjmp(r->failure.jump)) return r->failure.result;
  read_header(r);
  memset(out, 0, sizeof *out);
  out->width = png_get_image_width(r->png, r->info);
  out->height = png_get_image_height(r->png, r->info);
  out->depth = png_get_bit_depth(r->png, r->info);
  out->channels = png_get_channels(r->png, r->info);
  out->is_palette = png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_PALETTE;
  if (out->is_palette) describe_palette(r, out);
  else describe_key(r, out);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_png_header(const uint8_t *bytes, size_t count, trellis_png *out, trellis_image_message *message) {
  reader r;
  trellis_image_result result = open_reader(&r, bytes, count, message) ? header(&r, out) : r.failure.result;
  return close_reader(&r, result);
}

static void set_transforms(reader *r, trellis_png_form form) {
  png_structp png = r->png;
  if (form == TRELLIS_PNG_STORED) {
    png_set_packing(png);
    if (is_little_endian()) png_set_swap(png);
    return;
  }
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (!(png_get_color_type(png, r->info) & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
}

/// Rows are decoded as often as there are passes; an interlaced image is put together in memory before it is handed over.
static trellis_image_result decode(reader *r, trellis_png_form form, trellis_image_row row, void *context) {
  if (setjmp(r->failure.jump)) return r->failure.result;
  png_structp png = r->png;
  read_header(r);
  set_transforms(r, form);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, r->info);
  const uint32_t height = png_get_image_height(png, r->info);
  const size_t stride = png_get_rowbytes(png, r->info);
  const bool is_whole = row && passes > 1;
  if (row) r->rows = malloc(is_whole ? stride * height : stride);
  if (row && !r->rows) end(png, TRELLIS_IMAGE_NO_MEMORY, "out of memory");
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t y = 0; y < height; y++) {
      if (y % 16 == 0) look_for_interrupt(png);
      png_read_row(png, is_whole ? r->rows + stride * y : r->rows, NULL);
      if (row && !is_whole && !row(context, y, r->rows)) end(png, TRELLIS_IMAGE_STOPPED, "stopped");
    }
  }
  for (uint32_t y = 0; is_whole && y < height; y++)
    if (!row(context, y, r->rows + stride * y)) end(png, TRELLIS_IMAGE_STOPPED, "stopped");
  png_read_end(png, NULL);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_png_read(const uint8_t *bytes, size_t count, trellis_png_form form, trellis_image_row row, void *context,
                                      trellis_image_message *message) {
  reader r;
  trellis_image_result result = open_reader(&r, bytes, count, message) ? decode(&r, form, row, context) : r.failure.result;
  return close_reader(&r, result);
}

typedef struct {
  failure failure;
  png_structp png;
  png_infop info;
  uint8_t *bytes;
  size_t count, room;
} writer;

static void push(png_structp png, png_bytep data, png_size_t count) {
  writer *w = png_get_io_ptr(png);
  if (w->room - w->count < count) {
    size_t room = (w->count + count) * 2;
    uint8_t *larger = realloc(w->bytes, room);
    if (!larger) end(png, TRELLIS_IMAGE_NO_MEMORY, "out of memory");
    w->bytes = larger;
    w->room = room;
  }
  memcpy(w->bytes + w->count, data, count);
  w->count += count;
}

static void flush(png_structp png) { (void)png; }

static trellis_image_result encode(writer *w, const trellis_png *image, trellis_image_source row, void *context) {
  if (setjmp(w->failure.jump)) return w->failure.result;
  static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  int type = image->is_palette ? PNG_COLOR_TYPE_PALETTE : types[image->channels];
  png_set_write_fn(w->png, w, push, flush);
  png_set_IHDR(w->png, w->info, image->width, image->height, image->depth, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (image->is_palette) {
    png_color palette[256];
    for (int i = 0; i < image->palette_count; i++)
      palette[i] = (png_color){image->palette[i][0], image->palette[i][1], image->palette[i][2]};
    png_set_PLTE(w->png, w->info, palette, image->palette_count);
  }
  png_write_info(w->png, w->info);
  if (image->depth == 16 && is_little_endian()) png_set_swap(w->png);
  for (uint32_t y = 0; y < image->height; y++) {
    if (y % 16 == 0) look_for_interrupt(w->png);
    const uint8_t *samples = row(context, y);
    if (!samples) end(w->png, TRELLIS_IMAGE_STOPPED, "stopped");
    png_write_row(w->png, samples);
  }
  png_write_end(w->png, NULL);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_png_write(const trellis_png *image, trellis_image_source row, void *context, uint8_t **out, size_t *count,
                                       trellis_image_message *message) {
  writer w = {.failure = {.message = message, .result = TRELLIS_IMAGE_UNSUPPORTED}};
  snprintf(message->text, sizeof message->text, "libpng could not start");
  trellis_image_result result = TRELLIS_IMAGE_NO_MEMORY;
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w.failure, fail, warn);
  if (w.png) w.info = png_create_info_struct(w.png);
  if (w.info) result = encode(&w, image, row, context);
  if (w.png) png_destroy_write_struct(&w.png, w.info ? &w.info : NULL);
  if (result != TRELLIS_IMAGE_DONE) {
    free(w.bytes);
    return result;
  }
  *out = w.bytes;
  *count = w.count;
  return result;
}
