#pragma once

#include <stddef.h>

/// The truth 'streets' (scripts/truth.lua), as the text of its file.
const unsigned char *trellis_truth_streets(void);
size_t trellis_truth_streets_count(void);
