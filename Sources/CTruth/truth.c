#include "CTruth.h"

// A part of the program, so that it is found wherever the program lies. Builds do not look into what is embedded, so its checksum (cksum) stands here: 3012537840.
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char streets[] = {
#embed "streets.json"
};

const unsigned char *trellis_truth_streets(void) { return streets; }
size_t trellis_truth_streets_count(void) { return sizeof streets; }
