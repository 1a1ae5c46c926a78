#include "CImage.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Where libpng's messages go and where it jumps to.
typedef struct {
  jmp_buf jump;
  char *message;
  size_t capacity;
} failure;

static void fail(png_structp png, png_const_charp text) {
  failure *f = png_get_error_ptr(png);
  snprintf(f->message, f->capacity, "%s", text);
  longjmp(f->jump, 1);
}

static void warn(png_structp png, png_const_charp text) { (void)png; (void)text; }

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
  png_bytep *rows;
} reader;

static void set_transforms(reader *r, int colour, trellis_png *out) {
  png_structp png = r->png;
  int type = png_get_color_type(png, r->info);
  if (colour) {
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
    return;
  }
  png_set_packing(png);
  const uint16_t one = 1;
  if (*(const uint8_t *)&one) png_set_swap(png);
  png_colorp palette;
  int count;
  if (type == PNG_COLOR_TYPE_PALETTE && png_get_PLTE(png, r->info, &palette, &count)) {
    out->palette_count = count < 256 ? count : 256;
    for (int i = 0; i < out->palette_count; i++) {
      out->palette[3 * i] = palette[i].red;
      out->palette[3 * i + 1] = palette[i].green;
      out->palette[3 * i + 2] = palette[i].blue;
    }
  }
}

static int decode(reader *r, int colour, uint64_t pixel_limit, trellis_png *out) {
  if (setjmp(r->failure.jump)) return 1;
  png_set_read_fn(r->png, &r->source, pull);
  png_read_info(r->png, r->info);
  out->width = png_get_image_width(r->png, r->info);
  out->height = png_get_image_height(r->png, r->info);
  if ((uint64_t)out->width * out->height > pixel_limit) png_error(r->png, "more pixels than are allowed");
  set_transforms(r, colour, out);
  png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  out->depth = png_get_bit_depth(r->png, r->info);
  out->channels = png_get_channels(r->png, r->info);
  size_t stride = png_get_rowbytes(r->png, r->info);
  if (stride != (size_t)out->width * (size_t)out->channels * (size_t)(out->depth / 8)) png_error(r->png, "an unknown layout of pixels");
  out->pixels = malloc(stride * out->height);
  r->rows = malloc(sizeof(png_bytep) * out->height);
  if (!out->pixels || !r->rows) png_error(r->png, "out of memory");
  for (uint32_t y = 0; y < out->height; y++) r->rows[y] = out->pixels + stride * y;
  png_read_image(r->png, r->rows);
  png_read_end(r->png, NULL);
  return 0;
}

int trellis_png_read(const uint8_t *bytes, size_t count, int colour, uint64_t pixel_limit, trellis_png *out,
                     char *message, size_t capacity) {
  reader r = {.failure = {.message = message, .capacity = capacity}, .source = {bytes, count}};
  memset(out, 0, sizeof *out);
  snprintf(message, capacity, "libpng could not start");
  int result = 1;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r.failure, fail, warn);
  if (r.png) r.info = png_create_info_struct(r.png);
  if (r.info) result = decode(&r, colour, pixel_limit, out);
  if (r.png) png_destroy_read_struct(&r.png, r.info ? &r.info : NULL, NULL);
  free(r.rows);
  if (result) {
    free(out->pixels);
    out->pixels = NULL;
  }
  return result;
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
    if (!larger) png_error(png, "out of memory");
    w->bytes = larger;
    w->room = room;
  }
  memcpy(w->bytes + w->count, data, count);
  w->count += count;
}

static void flush(png_structp png) { (void)png; }

static int encode(writer *w, const trellis_png *image) {
  if (setjmp(w->failure.jump)) return 1;
  static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  int type = image->palette_count ? PNG_COLOR_TYPE_PALETTE : types[image->channels];
  png_set_write_fn(w->png, w, push, flush);
  png_set_IHDR(w->png, w->info, image->width, image->height, image->depth, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (image->palette_count) {
    png_color palette[256];
    for (int i = 0; i < image->palette_count; i++)
      palette[i] = (png_color){image->palette[3 * i], image->palette[3 * i + 1], image->palette[3 * i + 2]};
    png_set_PLTE(w->png, w->info, palette, image->palette_count);
  }
  png_write_info(w->png, w->info);
  const uint16_t one = 1;
  if (image->depth == 16 && *(const uint8_t *)&one) png_set_swap(w->png);
  size_t stride = (size_t)image->width * (size_t)image->channels * (size_t)(image->depth / 8);
  for (uint32_t y = 0; y < image->height; y++) png_write_row(w->png, image->pixels + stride * y);
  png_write_end(w->png, NULL);
  return 0;
}

int trellis_png_write(const trellis_png *image, uint8_t **bytes, size_t *count, char *message, size_t capacity) {
  writer w = {.failure = {.message = message, .capacity = capacity}};
  snprintf(message, capacity, "libpng could not start");
  int result = 1;
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w.failure, fail, warn);
  if (w.png) w.info = png_create_info_struct(w.png);
  if (w.info) result = encode(&w, image);
  if (w.png) png_destroy_write_struct(&w.png, w.info ? &w.info : NULL);
  if (result) {
    free(w.bytes);
    return result;
  }
  *bytes = w.bytes;
  *count = w.count;
  return 0;
}
