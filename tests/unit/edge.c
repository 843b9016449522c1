/* A page behind which there is nothing. */
#include "unit/edge.h"

#include <sys/mman.h>

#include "unit/unit.h"

char *unit_at_the_edge(const char *text, apr_size_t len)
{
    static char *room; /* as much again is out of bounds */

    if (!room) {
        room = mmap(NULL, 2 * (apr_size_t)UNIT_EDGE_BYTES,
                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert(room != MAP_FAILED);
        ck_assert_int_eq(
            mprotect(room + UNIT_EDGE_BYTES, UNIT_EDGE_BYTES, PROT_NONE), 0);
    }
    ck_assert_uint_le(len, UNIT_EDGE_BYTES);
    return memcpy(room + UNIT_EDGE_BYTES - len, text, len);
}
