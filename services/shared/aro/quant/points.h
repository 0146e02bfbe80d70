/* What smile.c and quality.c share: rows of points, padded to whole vectors, and sums over them that keep eight partial
 * sums each, so that their order, and that their loops become vectors, is in the source. */
#include "vectors.h"

#define MOST_POINTS 512 /* that a slice may use; a row of 81 is half a kB */

enum { OK, HARD = -1 };
typedef double Row[MOST_POINTS];

#define EACH for (int i = 0; i < n; i++)

INLINE double dot(int n, const double *a, const double *b) {
    double lanes[LANES] = {0.0};
    for (int i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES; j++) lanes[j] += a[i + j] * b[i + j];
    return folded(lanes);
}

/* How many points a slice uses, or -1 if they do not fit in a row. */
INLINE int used(int64_t width, const uint8_t *usable) {
    int64_t count = 0;
    for (int64_t i = 0; i < width; i++) count += usable[i];
    return count <= MOST_POINTS ? (int)count : -1;
}

/* The `count` values that are usable, side by side, and `filler` up to a whole vector. Returns the padded number. */
INLINE int gather(int count, const double *from, const uint8_t *usable, double *to, double filler) {
    for (int found = 0; found < count; from++, usable++) {
        to[found] = *from;
        found += *usable;
    }
    int n = (count + LANES - 1) / LANES * LANES;
    for (int i = count; i < n; i++) to[i] = filler;
    return n;
}
