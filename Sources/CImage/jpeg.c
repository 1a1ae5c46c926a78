#include "CImage.h"
#include "CKernels.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>
#include <jerror.h>

/// More scans than this are an attack: each goes over the whole image, and takes a few bytes of the file.
enum { MOST_SCANS = 500 };

/// What libjpeg is given; its own structures come first, so that its pointers are pointers to these.
typedef struct {
  struct jpeg_error_mgr manager;
  jmp_buf jump;
  trellis_image_message *message;
  trellis_image_result result;
} failure;

static _Noreturn void end(j_common_ptr jpeg, trellis_image_result result) {
  failure *f = (failure *)jpeg->err;
  f->result = result;
  longjmp(f->jump, 1);
}

static void say(j_common_ptr jpeg) {
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  failure *f = (failure *)jpeg->err;
  snprintf(f->message->text, sizeof f->message->text, "%s", text);
}

static void fail(j_common_ptr jpeg) {
  say(jpeg);
  switch (jpeg->err->msg_code) {
  case JERR_OUT_OF_MEMORY: end(jpeg, TRELLIS_IMAGE_NO_MEMORY);
  case JERR_BAD_PRECISION: case JERR_CONVERSION_NOTIMPL: case JERR_SOF_UNSUPPORTED: case JERR_IMAGE_TOO_BIG: case JERR_NOTIMPL:
    end(jpeg, TRELLIS_IMAGE_UNSUPPORTED);
  default: end(jpeg, TRELLIS_IMAGE_DAMAGED);
  }
}

/// Warnings by which all pixels are there: what other programs read without a word. Behind all others stand pixels that libjpeg makes up.
static bool is_harmless(int code) {
  switch (code) {
  case JWRN_EXTRANEOUS_DATA: case JWRN_JFIF_MAJOR: case JWRN_ADOBE_XFORM: case JWRN_NOT_SEQUENTIAL: case JWRN_BOGUS_PROGRESSION: return true;
  default: return false;
  }
}

static void note(j_common_ptr jpeg, int level) {
  if (level >= 0 || is_harmless(jpeg->err->msg_code)) return;
  say(jpeg);
  end(jpeg, TRELLIS_IMAGE_DAMAGED);
}

static void ignore(j_common_ptr jpeg) { (void)jpeg; }

static void set_up(failure *f, trellis_image_message *message) {
  jpeg_std_error(&f->manager);
  f->manager.error_exit = fail;
  f->manager.emit_message = note;
  f->manager.output_message = ignore;
  f->message = message;
}

/// Called by libjpeg again and again.
static void look(j_common_ptr jpeg) {
  if (trellis_interrupt_pending()) end(jpeg, TRELLIS_IMAGE_STOPPED);
  if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > MOST_SCANS) {
    failure *f = (failure *)jpeg->err;
    snprintf(f->message->text, sizeof f->message->text, "more than %d scans", MOST_SCANS);
    end(jpeg, TRELLIS_IMAGE_DAMAGED);
  }
}

/// What has to survive the jump lives here, outside the function that jumps.
typedef struct {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_progress_mgr progress;
  failure failure;
  uint8_t *row;
} reader;

static void open_reader(reader *r, const uint8_t *bytes, size_t count, trellis_image_message *message) {
  set_up(&r->failure, message);
  r->jpeg.err = &r->failure.manager;
  jpeg_create_decompress(&r->jpeg);
  r->progress.progress_monitor = look;
  r->jpeg.progress = &r->progress;
  jpeg_mem_src(&r->jpeg, bytes, count);
  jpeg_read_header(&r->jpeg, TRUE);
}

static void close_reader(reader *r) {
  jpeg_destroy_decompress(&r->jpeg);
  free(r->row);
}

static trellis_image_result header(reader *r, const uint8_t *bytes, size_t count, trellis_image_message *message) {
  if (setjmp(r->failure.jump)) return r->failure.result;
  open_reader(r, bytes, count, message);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_jpeg_header(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, int *components,
                                         trellis_image_message *message) {
  reader r = {0};
  trellis_image_result result = header(&r, bytes, count, message);
  *width = r.jpeg.image_width;
  *height = r.jpeg.image_height;
  *components = r.jpeg.num_components;
  close_reader(&r);
  return result;
}

/// x * y / 255, rounded.
static uint8_t share(int x, int y) {
  int product = x * y + 128;
  return (uint8_t)((product + (product >> 8)) >> 8);
}

/// CMYK as files hold it (255 is no ink) to RGB in place, as Pillow converts it.
static void convert(uint8_t *row, uint32_t width) {
  for (uint32_t x = 0; x < width; x++) {
    const int black = row[4 * x + 3];
    for (int channel = 0; channel < 3; channel++) {
      const int light = black - share(255 - row[4 * x + (uint32_t)channel], black);
      row[3 * x + (uint32_t)channel] = (uint8_t)(light < 0 ? 0 : light);
    }
  }
}

static trellis_image_result decode(reader *r, const uint8_t *bytes, size_t count, trellis_image_row row, void *context,
                                   trellis_image_message *message) {
  if (setjmp(r->failure.jump)) return r->failure.result;
  open_reader(r, bytes, count, message);
  struct jpeg_decompress_struct *jpeg = &r->jpeg;
  const bool is_ink = jpeg->num_components == 4;
  jpeg->out_color_space = is_ink ? JCS_CMYK : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;
  // All of the file is decoded, but only an eighth of the image is computed.
  if (!row) jpeg->scale_denom = 8;
  jpeg_start_decompress(jpeg);
  r->row = malloc((size_t)jpeg->output_width * (size_t)jpeg->output_components);
  if (!r->row) {
    snprintf(message->text, sizeof message->text, "out of memory");
    return TRELLIS_IMAGE_NO_MEMORY;
  }
  while (jpeg->output_scanline < jpeg->output_height) {
    const uint32_t y = jpeg->output_scanline;
    JSAMPROW rows[1] = {r->row};
    if (jpeg_read_scanlines(jpeg, rows, 1) != 1 || !row) continue;
    if (is_ink) convert(r->row, jpeg->output_width);
    if (!row(context, y, r->row)) return TRELLIS_IMAGE_STOPPED;
  }
  jpeg_finish_decompress(jpeg);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_jpeg_read(const uint8_t *bytes, size_t count, trellis_image_row row, void *context, trellis_image_message *message) {
  reader r = {0};
  trellis_image_result result = decode(&r, bytes, count, row, context, message);
  close_reader(&r);
  return result;
}

typedef struct {
  struct jpeg_compress_struct jpeg;
  struct jpeg_progress_mgr progress;
  failure failure;
  uint8_t *bytes;
  unsigned long count;
} writer;

static trellis_image_result encode(writer *w, uint32_t width, uint32_t height, int quality, trellis_image_source row, void *context,
                                   trellis_image_message *message) {
  if (setjmp(w->failure.jump)) return w->failure.result;
  struct jpeg_compress_struct *jpeg = &w->jpeg;
  set_up(&w->failure, message);
  jpeg->err = &w->failure.manager;
  jpeg_create_compress(jpeg);
  w->progress.progress_monitor = look;
  jpeg->progress = &w->progress;
  jpeg_mem_dest(jpeg, &w->bytes, &w->count);
  jpeg->image_width = width;
  jpeg->image_height = height;
  jpeg->input_components = 3;
  jpeg->in_color_space = JCS_RGB;
  jpeg_set_defaults(jpeg);
  jpeg_set_quality(jpeg, quality, TRUE);
  jpeg->dct_method = JDCT_ISLOW;
  for (int i = 0; i < jpeg->num_components; i++) jpeg->comp_info[i].h_samp_factor = jpeg->comp_info[i].v_samp_factor = 1;
  jpeg_start_compress(jpeg, TRUE);
  while (jpeg->next_scanline < jpeg->image_height) {
    JSAMPROW rows[1] = {(JSAMPROW)row(context, jpeg->next_scanline)};
    if (!rows[0]) return TRELLIS_IMAGE_STOPPED;
    jpeg_write_scanlines(jpeg, rows, 1);
  }
  jpeg_finish_compress(jpeg);
  return TRELLIS_IMAGE_DONE;
}

trellis_image_result trellis_jpeg_write(uint32_t width, uint32_t height, int quality, trellis_image_source row, void *context, uint8_t **out,
                                        size_t *count, trellis_image_message *message) {
  writer w = {0};
  trellis_image_result result = encode(&w, width, height, quality, row, context, message);
  jpeg_destroy_compress(&w.jpeg);
  if (result != TRELLIS_IMAGE_DONE) {
    free(w.bytes);
    return result;
  }
  *out = w.bytes;
  *count = w.count;
  return result;
}
