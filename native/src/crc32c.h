// CRC-32C (Castagnoli, RFC 3720 appendix B.4): hardware instruction where there is one, else a table.
#ifndef RINGTAP_CRC32C_H
#define RINGTAP_CRC32C_H
#include <stddef.h>
#include <stdint.h>

// `crc` is 0 to begin, or the result of the bytes before.
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
// The table version, for machines without the instruction and for tests.
uint32_t crc32c_table(uint32_t crc, const void *data, size_t bytes);
#endif
