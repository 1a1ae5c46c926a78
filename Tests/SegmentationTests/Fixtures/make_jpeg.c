/* JPEG files of four components, which Trellis reads and does not write (JPEGTests.swift).
 *
 * Run here: cc make_jpeg.c -ljpeg -o /tmp/make_jpeg && /tmp/make_jpeg. Both show four fields of 8x8: white, black, red, and a mixture. Samples
 * are as Adobe's programs write them, 255 is no ink. */
#include <stdio.h>
#include <jpeglib.h>

static void write_file(const char *name, J_COLOR_SPACE space) {
  static const JSAMPLE fields[4][4] = {{255, 255, 255, 255}, {255, 255, 255, 0}, {255, 0, 0, 255}, {200, 100, 50, 180}};
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  JSAMPLE row[32 * 4];
  for (int x = 0; x < 32; x++)
    for (int i = 0; i < 4; i++) row[4 * x + i] = fields[x / 8][i];
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  FILE *file = fopen(name, "wb");
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_width = 32;
  jpeg.image_height = 8;
  jpeg.input_components = 4;
  jpeg.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_colorspace(&jpeg, space);
  jpeg_set_quality(&jpeg, 100, TRUE);
  for (int i = 0; i < 4; i++) jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
  jpeg_start_compress(&jpeg, TRUE);
  JSAMPROW rows[1] = {row};
  while (jpeg.next_scanline < jpeg.image_height) jpeg_write_scanlines(&jpeg, rows, 1);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  fclose(file);
}

int main(void) {
  write_file("cmyk.jpg", JCS_CMYK);
  write_file("ycck.jpg", JCS_YCCK);
  return 0;
}
