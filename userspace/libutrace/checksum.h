// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_CHECKSUM_H_
#define UTRACE_LIBUTRACE_CHECKSUM_H_

#include <cstdint>

#include "userspace/libutrace/frames.h"

namespace utrace {

// The checksum of record files: CRC-32C of four lanes, of which lane k takes the 8-byte words k,
// k+4, k+8..., then of the lanes' values, the bytes left over and the length. The lanes let the CPU
// work on four at once; one alone would cost the recorder more than the rest of its work.
uint32_t Checksum(Bytes data);

// The same without the CPU's own instruction; for machines that lack it, and to test the other.
uint32_t ChecksumPortable(Bytes data);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_CHECKSUM_H_
