/*
 * Forced into every C++ file of llama.cpp's build with `-include`.
 *
 * gcc up to at least 12 declares that _tile_loadconfig() reads one pointer (8 bytes) of the 64-byte tile
 * configuration. The optimiser then drops the stores to the other 56 bytes as dead, the processor loads
 * garbage, and the first decode of a quantized model on a machine with AMX ends in a segmentation fault
 * (llama.cpp issue 20824). Here the operand has its true size. It keeps AMX: measured against a build without,
 * 2.2 times the decode and 3.3 times the prompt speed for Q8_0.
 *
 * Compilers with a correct definition lose nothing: the instruction is the same.
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__AMX_TILE__)
#include <immintrin.h>

struct parley_tile_config {
    unsigned char bytes[64];
};

static inline __attribute__((always_inline)) void parley_tile_loadconfig(const void *config) {
    __asm__ volatile("ldtilecfg\t%0" : : "m"(*static_cast<const parley_tile_config *>(config)));
}

#undef _tile_loadconfig
#define _tile_loadconfig(config) parley_tile_loadconfig(config)
#endif
