// The generator of Lua's math.random: xoshiro256** (Blackman and Vigna, 2018), seeded as Lua 5.4 does. Here because scripts and
// checkpoints both reach it.
#include "CKernels.h"
#include <string.h>

static uint64_t state[4] = {0, 0xff, 0, 0};
static uint64_t draws;

static uint64_t rotated(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

static uint64_t next(void) {
  const uint64_t result = rotated(state[1] * 5, 7) * 9, shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotated(state[3], 45);
  return result;
}

uint64_t trellis_script_random_next(void) {
  draws++;
  return next();
}

void trellis_script_random_seed(uint64_t first, uint64_t second) {
  const uint64_t seeded[4] = {first, 0xff, second, 0};
  trellis_script_random_restore(seeded);
  for (int i = 0; i < 16; i++) next();
}

void trellis_script_random_save(uint64_t into[4]) { memcpy(into, state, sizeof state); }
void trellis_script_random_restore(const uint64_t from[4]) { memcpy(state, from, sizeof state); }
uint64_t trellis_script_random_draws(void) { return draws; }
